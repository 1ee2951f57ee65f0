"""An invoice as it stands now, its newest paper, and what the cashier is to hand over: one sentence."""

from __future__ import annotations

from decimal import Decimal

from agent.domain.corrections.new_invoice import repeat_hint
from agent.domain.event_kinds import EventKind
from agent.domain.fa3.elements import receipt_named
from agent.domain.fa3.reverse_charge import ended_hint
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.read import read, read_heading
from agent.domain.fiscal_receipt import invoiced_by_receipt
from agent.domain.invoice import BuyerKind, InvoiceRecord, InvoiceSummary, Mode, Payment
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.domain.paper.compose import Document
from agent.domain.payment_methods import REST
from agent.domain.rejection import number_taken
from agent.domain.rejection_words import in_words
from agent.domain.sale.issue_time import late_hint
from agent.domain.values import dataclass
from agent.ports import PrintJob, Transaction
from agent.services.corrections.money_back import money_sentence
from agent.services.issuing.new_invoices import left_without
from agent.services.paper import own_printing
from agent.services.paper.outcomes import Noted


@dataclass(frozen=True, slots=True)
class NewestPaper:
    """What lies, or should lie, on the counter."""

    document: str
    """invoice or transaction_confirmation."""
    label: str
    state: str
    """PrintState of the newest job."""
    copies: int
    problem: str | None = None
    """Polish: what to do."""
    printer: str | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    """What the sentence depends on besides the invoice and its paper. A list leaves out what takes more reading."""

    left_to_the_till: bool = False
    """The till's own program prints."""
    paid: tuple[Payment, ...] = ()
    """How the corrected invoice was paid."""
    due: Decimal | None = None
    """What changes hands, where deposits make it another sum than the total."""
    older_than_number: bool = False
    """The newest paper was made before the KSeF number came."""
    left_without: InvoiceSummary | None = None
    """The new invoice that stands without this correction, which came to nothing."""


@dataclass(frozen=True, slots=True)
class ListedInvoice:
    """An invoice as it stands now (docs/api.md), in a list."""

    record: InvoiceSummary
    paper: NewestPaper | None
    hand_over: str
    """One Polish sentence: what the cashier gives the customer now."""


@dataclass(frozen=True, slots=True)
class InvoiceAnswer(ListedInvoice):
    """The same with its bytes."""

    record: InvoiceRecord


async def answer(tx: Transaction, record: InvoiceRecord) -> InvoiceAnswer:
    """Put an invoice, its newest paper and the sentence for the cashier together."""
    paper = await _newest_paper(tx, record)
    counter = Counter(
        left_to_the_till=paper is None and await own_printing.chosen(tx, record.id),
        paid=await _paid(tx, record),
        due=_due(record),
        older_than_number=record.ksef_number is not None and await _printed_before_number(tx, record),
        left_without=await left_without(tx, record) if record.kind == Kind.KOR else None,
    )
    return InvoiceAnswer(record, paper, hand_over(record, paper, counter))


def answer_at_hand(noted: Noted) -> InvoiceAnswer | None:
    """Put together the same of what a press knows when its paper is out; None where more has to be read.

    So a press reads nothing back to be answered: a turn of another thread, a tenth of a millisecond or three.
    """
    record = noted.record
    if record.kind.startswith("KOR") or record.ksef_number is not None:
        return None
    paper = _paper(record, noted.job)
    return InvoiceAnswer(record, paper, hand_over(record, paper, Counter(due=_due(record))))


async def listed(tx: Transaction, summary: InvoiceSummary) -> ListedInvoice:
    """Do the same for a list."""
    paper = await _newest_paper(tx, summary)
    left_to_the_till = paper is None and await own_printing.chosen(tx, summary.id)
    settled_by_payments = bool(summary.payments) or not summary.kind.startswith("KOR")
    due = None if settled_by_payments else _due(await tx.invoices.get(summary.id))
    counter = Counter(left_to_the_till=left_to_the_till, due=due)
    return ListedInvoice(summary, paper, hand_over(summary, paper, counter))


def _due(record: InvoiceRecord) -> Decimal | None:
    """Return what changes hands where the file has a Rozliczenie of its own; None: the total, or not known any more."""
    if b"Rozliczenie>" not in record.stored_xml or not record.intact:
        return None
    return read_heading(record.xml).changes_hands


async def _paid(tx: Transaction, record: InvoiceRecord) -> tuple[Payment, ...]:
    """Return how the corrected invoice was paid, where that tells how the money goes back."""
    methods = {payment.method for payment in record.payments}
    if not record.kind.startswith("KOR") or (methods and REST not in methods) or record.base_id is None:
        return ()
    return (await tx.invoices.get(record.base_id)).payments


async def _printed_before_number(tx: Transaction, record: InvoiceRecord) -> bool:
    """Tell whether the newest paper was made without the KSeF number that is known now."""
    kinds = [event.kind for event in await tx.events.of_invoice(record.id)]
    queued = [index for index, kind in enumerate(kinds) if kind == EventKind.PRINT_QUEUED]
    return bool(queued) and EventKind.ACCEPTED in kinds[queued[-1] :]


async def _newest_paper(tx: Transaction, record: InvoiceSummary) -> NewestPaper | None:
    jobs = await tx.prints.summaries(record.id)
    return _paper(record, jobs[-1]) if jobs else None


def _paper(record: InvoiceSummary, job: PrintJob) -> NewestPaper:
    return NewestPaper(job.document, job.label, job.state.value, record.copies, job.problem, job.printer)


def hand_over(record: InvoiceSummary, paper: NewestPaper | None, counter: Counter) -> str:
    """Return the sentence. Trouble with the paper comes first: the customer is waiting for it.

    The sentence is about the paper that lies there: a number that arrives after it adds to it, and changes nothing.
    """
    if record.state is InvoiceState.REJECTED:
        hint = "" if counter.left_without is None else f" {repeat_hint(counter.left_without)}"
        return f"{_refused(record, paper)}{hint}"
    if number_taken(record):
        what = "Nic nie wydrukowano" if paper is None else "Nie wydawaj dalszych wydruków"
        return f"KSeF ma już dokument o tym numerze i nie wiadomo, czy to ten. {what} – zawołaj kierownika."
    money = money_sentence(record, counter.paid, counter.due)
    saved = f"{'Korekta' if record.kind.startswith('KOR') else 'Faktura'} jest zapisana"
    if counter.left_to_the_till:
        return f"{saved}. Drukuje ją program sprzedaży.{money}"
    if paper is None:
        return f"{saved}. Wydruk jeszcze się nie zaczął.{money}"
    if trouble := _paper_trouble(paper, saved):
        return f"{trouble}{money}"
    return f"{_what_lies_there(record, paper, counter, money)}{_hints(record)}"


def _hints(record: InvoiceSummary) -> str:
    """What the bytes of a sale tell the cashier; a list, which has none, leaves this to the invoice itself."""
    nothing = _NOTHING_SOLD if record.kind in {Kind.VAT, Kind.UPR} and not record.totals.gross else ""
    if not isinstance(record, InvoiceRecord) or not any(each in record.stored_xml for each in _HINTING):
        return nothing
    if not record.intact:
        return nothing
    view = read(record.xml)
    if view.kind.corrects:
        return ""
    return f"{nothing}{_keep_receipt(view)}{_second_invoice(record, view)}{_late(record, view)}{_rate_ended(view)}"


_NOTHING_SOLD = (
    " Faktura jest na 0,00, a fakturę wystawia się do sprzedaży za zapłatą (art. 106b ust. 1, art. 2 pkt 22). Powiedz "
    "kierownikowi."
)
_HINTING = (b"FP>", b"P_6>", b"P_6A>", b"P_6_Do>", b">oo<")
"""Only what has one of these is read."""


def _late(record: InvoiceRecord, view: FaView) -> str:
    """A hint where the sale was invoiced later than the law wants it."""
    lines = [line.sold_on for line in view.lines if line.sold_on is not None]
    sold_on = view.sold_on or min(lines, default=None) or (None if view.period is None else view.period[1])
    if sold_on is None:
        return ""
    to_consumer = record.buyer.kind is BuyerKind.NONE
    hint = late_hint(sold_on, record.issued_on, to_consumer=to_consumer)
    return "" if hint is None else f" {hint}"


def _rate_ended(view: FaView) -> str:
    hint = ended_hint(view)
    return "" if hint is None else f" {hint}"


def _keep_receipt(view: FaView) -> str:
    """Art. 106h: the receipt's number and the register's are on the invoice, or the receipt stays with it."""
    if not view.to_receipt or receipt_named(view):
        return ""
    return " Zatrzymaj paragon klienta i zachowaj go z fakturą: nie ma na niej obu numerów, paragonu i kasy."


def _second_invoice(record: InvoiceRecord, view: FaView) -> str:
    """A hint where the sale has an invoice already: its receipt."""
    if not view.to_receipt:
        return ""
    fields = [rate.field for rate in view.rates]
    exchange_rates = [line.exchange_rate for line in view.lines if line.exchange_rate is not None]
    hint = invoiced_by_receipt(record.buyer, record.totals, fields, exchange_rates, view.sold_on or record.issued_on)
    return "" if hint is None else f" {hint}"


def _refused(record: InvoiceSummary, paper: NewestPaper | None) -> str:
    if record.closed_at is not None and record.kind.startswith("KOR"):
        return "KSeF odrzucił tę korektę, a jej sprawę zamknięto."
    if record.closed_at is not None:
        return "KSeF odrzucił tę fakturę, a jej sprawę zamknięto: sprzedaż ma inny dokument."
    what = f"KSeF odrzucił {_noun(record)}{' i nic nie wydrukowano' if paper is None else ''}"
    return f"{what} – zawołaj kierownika. {in_words(record.rejection_code, record.rejection)}".strip()


_NEVER_SENT = {
    Mode.TOTAL_FAILURE: "W czasie awarii całkowitej nie przesyła się jej do KSeF.",
    Mode.OUTSIDE_KSEF: "Faktur dla osób prywatnych ten sklep nie przesyła do KSeF.",
}


def _what_lies_there(record: InvoiceSummary, paper: NewestPaper, counter: Counter, money: str) -> str:
    late = record.ksef_number is not None and counter.older_than_number
    if paper.document == Document.CONFIRMATION.value:
        return _with_confirmation(record, money)
    what = f"Wydaj klientowi {_noun(record)}"
    if record.mode in _NEVER_SENT:
        return f"{what}.{money} {_NEVER_SENT[record.mode]}"
    if record.ksef_number is not None and not late:
        return f"{what}.{money}"
    then = "Numer KSeF już jest." if late else "Do KSeF trafi sama."
    return f"{what} z kodami OFFLINE i CERTYFIKAT.{money} {then}"


def _with_confirmation(record: InvoiceSummary, money: str) -> str:
    noun = _noun(record)
    given = f"Wydaj klientowi potwierdzenie transakcji.{money}"
    coded = record.link_certificate is not None
    if record.receives_in_ksef and record.mode is not Mode.FAILURE:
        lacking = "" if coded else " Bez kodu CERTYFIKAT, bo kasa nie ma certyfikatu Offline."
        then = f"{noun.capitalize()} odbierze w KSeF.{lacking}"
        return f"{given} {'Numer KSeF już jest: może też dostać wydruk faktury.' if record.ksef_number else then}"
    # The invoice itself is handed over, with both codes (art. 106nda ust. 6) or once it needs one only.
    if record.ksef_number is not None:
        return f"Wydrukuj {noun} ponownie i wydaj. Numer KSeF już jest.{money}"
    why = "" if coded else "kasa nie ma certyfikatu Offline, więc "
    return f"{given} {noun.capitalize()} jeszcze nie: {why}wydrukujesz ją i wydasz, gdy nadejdzie numer KSeF."


def _noun(record: InvoiceSummary) -> str:
    return "korektę" if record.kind.startswith("KOR") else "fakturę"


def _paper_trouble(paper: NewestPaper, saved: str) -> str | None:
    match paper.state:
        case PrintState.FAILED.value:
            problem = paper.problem or "Drukarka nie odpowiada."
            return f"Nie wydrukowano. {problem} {saved} i nie zginie."
        case PrintState.UNCERTAIN.value:
            return "Nie wiadomo, czy wydruk wyszedł. Jest w drukarce cały: wydaj go. Nie ma go: wydrukuj ponownie."
        case PrintState.QUEUED.value | PrintState.PRINTING.value:
            return f"{saved}. Trwa drukowanie."
        case _:
            return None
