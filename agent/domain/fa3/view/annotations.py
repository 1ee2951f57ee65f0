"""Adnotacje: the words that the law wants on an invoice."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from agent.domain.values import dataclass


class Margin(StrEnum):
    """PMarzy: which margin procedure (art. 119, art. 120)."""

    TRAVEL = "P_PMarzy_2"
    USED_GOODS = "P_PMarzy_3_1"
    ART = "P_PMarzy_3_2"
    ANTIQUES = "P_PMarzy_3_3"


@dataclass(frozen=True, slots=True)
class NewVehicle:
    """NowySrodekTransportu (art. 106e ust. 1 pkt 17)."""

    first_used: date
    """P_22A."""
    line: int
    """P_NrWierszaNST."""
    details: tuple[tuple[str, str], ...] = ()
    """The other P_22B.., P_22C.., P_22D.. elements as (element, value), in the document's order."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Adnotacje."""

    cash_accounting: bool = False
    """P_16."""
    self_billing: bool = False
    """P_17."""
    reverse_charge: bool = False
    """P_18."""
    split_payment: bool = False
    """P_18A."""
    exempt: bool = False
    """P_19."""
    exemption_act: str | None = None
    """P_19A: provision of the act."""
    exemption_directive: str | None = None
    """P_19B: provision of directive 2006/112/WE."""
    exemption_other: str | None = None
    """P_19C: another basis."""
    new_vehicles: tuple[NewVehicle, ...] = ()
    vehicle_duty: bool = False
    """P_42_5."""
    triangular: bool = False
    """P_23."""
    margin: Margin | None = None
