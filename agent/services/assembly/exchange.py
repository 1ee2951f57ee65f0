"""Files of other systems, joined: what reads and issues them, whichever way they come."""

from __future__ import annotations

from agent.domain.values import dataclass
from agent.services.assembly.common import Common
from agent.services.assembly.issuing import IssuingServices
from agent.services.exchange.documents import ExchangeDocuments
from agent.services.exchange.intake import Intake
from agent.services.exchange.made import ExchangeRequests


@dataclass(kw_only=True)
class ExchangeServices:
    """Use cases of agent/services/exchange."""

    intake: Intake
    exchange: ExchangeRequests


def join_exchange(common: Common, issuing: IssuingServices) -> ExchangeServices:
    """Join them, over what issues the documents they read."""
    settings, ports = common.settings, common.ports
    documents = ExchangeDocuments(
        issuing.issuing,
        issuing.bases,
        store=ports.store,
        settings=settings.drop_folder,
        cash_register=settings.issue.cash_register,
    )
    return ExchangeServices(
        intake=Intake(ports.store, issuing.issuing, documents, settings.api.max_body_bytes),
        exchange=ExchangeRequests(ports.store, issuing.pending, documents),
    )
