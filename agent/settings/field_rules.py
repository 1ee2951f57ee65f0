"""The rules that stand beside the fields of settings, by name as in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args, get_type_hints

from agent.settings import rules
from agent.settings.model import PrinterSettings, Settings
from agent.settings.rules import Check

OF_THE_SELLER: Final[Mapping[str, Check]] = {
    "seller.nip": rules.seller_nip,
    "seller.name": rules.seller_name,
    "seller.bank_account": rules.account,
    "seller.address.line1": rules.filled,
    "seller.address.country": rules.country,
}
"""The seller is a type of the domain, which knows nothing of settings files."""


def rules_of(kind: type, prefix: str = "") -> Iterator[tuple[str, Check]]:
    """Name and rule of every field of a dataclass of settings that has one, those of its sections too."""
    hints: Mapping[str, Any] = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        if is_dataclass(hint):
            assert isinstance(hint, type)
            yield from rules_of(hint, f"{prefix}{field.name}.")
        for note in get_args(hint):
            if callable(note) and not isinstance(note, type):
                yield f"{prefix}{field.name}", note


RULES: Final[Mapping[str, Check]] = {
    **OF_THE_SELLER,
    **dict(rules_of(Settings)),
    **dict(rules_of(PrinterSettings, "printer.")),
}
"""Of the till; for [[printer]] without its index."""
