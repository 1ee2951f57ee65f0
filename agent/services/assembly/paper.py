"""What is printed and shown of an invoice, joined."""

from __future__ import annotations

from agent.domain.values import dataclass
from agent.services.assembly.common import Common
from agent.services.corrections.pending_slip import PendingCorrectionSlip
from agent.services.paper.papers import InvoicePapers
from agent.services.paper.previews import Previews
from agent.services.paper.printing import Printing
from agent.services.paper.reprint import Reprinting


@dataclass(kw_only=True)
class PaperServices:
    """Use cases of agent/services/paper, and the slip of a correction that waits."""

    papers: InvoicePapers
    printing: Printing
    previews: Previews
    reprinting: Reprinting
    slip: PendingCorrectionSlip


def join_paper(common: Common) -> PaperServices:
    """Join them; they stand on nothing but what is common."""
    ports, settings = common.ports, common.settings.paper
    clock, store, renderer = ports.clock, ports.store, ports.renderer
    papers = InvoicePapers(settings)
    printing = Printing(
        store=store,
        clock=clock,
        papers=papers,
        printer=ports.printer,
        renderer=renderer,
        tasks=common.tasks,
        metrics=common.counters,
        changed=common.changed,
        copies=settings.copies,
    )
    return PaperServices(
        papers=papers,
        printing=printing,
        previews=Previews(store, clock, papers, renderer),
        reprinting=Reprinting(store, printing, common.tasks),
        slip=PendingCorrectionSlip(
            store=store,
            clock=ports.clock,
            tasks=common.tasks,
            printer=ports.printer,
            renderer=renderer,
            footer=settings.footer,
        ),
    )
