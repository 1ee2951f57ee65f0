"""What the annex to the accounting policy tells of a till's settings."""

from __future__ import annotations

from datetime import date

from agent import __version__
from agent.domain.numbering import format_number, series_name
from agent.domain.records.policy_annex import AnnexFacts
from agent.settings.model import Settings


def annex_facts(settings: Settings, day: date) -> AnnexFacts:
    """Return them, as they are on ``day``."""
    issue, retention, till = settings.issue, settings.retention, settings.till

    def named(template: str) -> str:
        return series_name(template, till=till, issued_on=day) if template else ""

    address = settings.seller.address
    return AnnexFacts(
        seller=settings.seller.name,
        nip=settings.seller.nip,
        address=", ".join(filter(None, (address.line1, address.line2))),
        till=till,
        program=f"ksef-agent {__version__}",
        day=day,
        series=named(issue.series),
        correction_series=named(issue.correction_series),
        offline_series=named(issue.offline_series),
        offline_correction_series=named(issue.offline_correction_series),
        example=format_number(issue.number, series=named(issue.series), till=till, serial=1, issued_on=day),
        prefers_offline24=issue.prefer == "offline24",
        budget_seconds=issue.budget_seconds,
        consumers_in_ksef=issue.consumers_in_ksef,
        offline_domestic_invoice=settings.paper.offline_domestic == "invoice",
        cash_register=issue.cash_register,
        backlog_hours=settings.sync.backlog_hours,
        deadline_hours=settings.alerts.deadline_hours,
        through_hub=settings.ksef.route == "hub",
        keep_days=retention.keep_days,
        export_dir="" if retention.export_dir is None else str(retention.export_dir),
        backup_dir=str(settings.backup.dir),
        limitation_years=retention.limitation_years,
        erase_consumers=retention.erase_consumers,
        hold_until=retention.hold_until,
    )
