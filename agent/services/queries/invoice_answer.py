"""An invoice as it stands now, its newest paper, and what the cashier is to hand over: one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.fa3.elements import receipt_named
from agent.domain.fa3.view import read
from agent.domain.invoice import InvoiceRecord, InvoiceSummary, Mode
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.domain.paper.compose import Document
from agent.domain.rejection import number_taken
from agent.ports import PrintJob, Transaction
from agent.services.paper import own_printing


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
    left_to_the_till = paper is None and await own_printing.chosen(tx, record.id)
    return InvoiceAnswer(record, paper, hand_over(record, paper, left_to_the_till=left_to_the_till))


async def listed(tx: Transaction, summary: InvoiceSummary) -> ListedInvoice:
    """Do the same for a list."""
    paper = await _newest_paper(tx, summary)
    left_to_the_till = paper is None and await own_printing.chosen(tx, summary.id)
    return ListedInvoice(summary, paper, hand_over(summary, paper, left_to_the_till=left_to_the_till))


async def _newest_paper(tx: Transaction, record: InvoiceSummary) -> NewestPaper | None:
    jobs = await tx.prints.summaries(record.id)
    return _paper(record, jobs[-1]) if jobs else None


def _paper(record: InvoiceSummary, job: PrintJob) -> NewestPaper:
    return NewestPaper(job.document, job.label, job.state.value, record.copies, job.problem, job.printer)


def hand_over(record: InvoiceSummary, paper: NewestPaper | None, *, left_to_the_till: bool = False) -> str:
    """Return the sentence. Trouble with the paper comes first: the customer is waiting for it."""
    if record.state is InvoiceState.REJECTED:
        return _refused(record, paper)
    if number_taken(record):
        what = "Nic nie wydrukowano" if paper is None else "Nie wydawaj dalszych wydruków"
        return f"KSeF ma już dokument o tym numerze i nie wiadomo, czy to ten. {what} – zawołaj kierownika."
    if left_to_the_till:
        return "Faktura jest zapisana. Drukuje ją program sprzedaży."
    if paper is None:
        return "Faktura jest zapisana. Wydruk jeszcze się nie zaczął."
    return _paper_trouble(paper) or f"{_what_lies_there(record, paper)}{_keep_receipt(record)}"


def _keep_receipt(record: InvoiceSummary) -> str:
    """Art. 106h: the receipt's number and the register's are on the invoice, or the receipt stays with it.

    A list, which has no bytes, leaves this to the invoice itself.
    """
    if not isinstance(record, InvoiceRecord) or b"FP>" not in record.stored_xml or not record.intact:
        return ""
    view = read(record.xml)
    if view.kind.corrects or not view.to_receipt or receipt_named(view):
        return ""
    return " Zatrzymaj paragon klienta i zachowaj go z fakturą: nie ma na niej obu numerów, paragonu i kasy."


def _refused(record: InvoiceSummary, paper: NewestPaper | None) -> str:
    if record.closed_at is not None:
        return "KSeF odrzucił tę fakturę, a jej sprawę zamknięto: sprzedaż ma inny dokument."
    what = "KSeF odrzucił fakturę i nic nie wydrukowano" if paper is None else "KSeF odrzucił fakturę"
    return f"{what} – zawołaj kierownika. {record.rejection or ''}".strip()


_NEVER_SENT = {
    Mode.TOTAL_FAILURE: "W czasie awarii całkowitej nie przesyła się jej do KSeF.",
    Mode.OUTSIDE_KSEF: "Faktur dla osób prywatnych ten sklep nie przesyła do KSeF.",
}


def _what_lies_there(record: InvoiceSummary, paper: NewestPaper) -> str:
    coded = record.link_certificate is not None
    if paper.document == Document.CONFIRMATION.value:
        if record.ksef_number is not None:
            return "Wydano potwierdzenie transakcji; numer KSeF już jest. Fakturę możesz wydrukować ponownie."
        lacking = "" if coded else " Bez kodu CERTYFIKAT, bo kasa nie ma certyfikatu Offline."
        noun = _noun(record).capitalize()
        return f"Wydaj klientowi potwierdzenie transakcji.{_money(record)} {noun} odbierze w KSeF.{lacking}"
    what = f"Wydaj klientowi {_noun(record)}"
    if record.mode in _NEVER_SENT:
        return f"{what}.{_money(record)} {_NEVER_SENT[record.mode]}"
    if record.ksef_number is None and not coded:
        # An offline invoice is handed over with both codes (art. 106nda ust. 6), or once it needs one only.
        return (
            f"Nie wydawaj jeszcze {'korekty' if record.kind.startswith('KOR') else 'faktury'}: kasa nie ma certyfikatu "
            f"Offline, więc wydruk ma tylko kod OFFLINE.{_money(record)} "
            "Do KSeF trafi sama; gdy nadejdzie numer, wydrukuj ją ponownie i wydaj."
        )
    if record.ksef_number is None:
        return f"{what} z kodami OFFLINE i CERTYFIKAT.{_money(record)} Do KSeF trafi sama."
    return f"{what}.{_money(record)}"


def _noun(record: InvoiceSummary) -> str:
    return "korektę" if record.kind.startswith("KOR") else "fakturę"


_BACK: dict[str, str] = {
    "cash": "gotówką",
    "card": "na kartę",
    "mobile": "BLIKIEM",
    "transfer": "przelewem",
    "voucher": "bonem",
}
"""How money is given back; other ways are not named."""


def _money(record: InvoiceSummary) -> str:
    """What changes hands with a correction; empty for a sale, whose payment the receipt was for."""
    gross = record.totals.gross
    if not record.kind.startswith("KOR") or not gross:
        return ""
    verb = "Zwróć" if gross < 0 else "Pobierz dopłatę"
    parts = [(abs(payment.amount), _BACK.get(payment.method, "")) for payment in record.payments]
    named = [f"{_shown(much, record)} {how}".rstrip() for much, how in parts if much]
    return f" {verb} {' i '.join(named) or _shown(abs(gross), record)}."


def _shown(value: Decimal, record: InvoiceSummary) -> str:
    currency = record.totals.currency
    return f"{amount(value)} {'zł' if currency == 'PLN' else currency}"


def _paper_trouble(paper: NewestPaper) -> str | None:
    match paper.state:
        case PrintState.FAILED.value:
            problem = paper.problem or "Drukarka nie odpowiada."
            return f"Nie wydrukowano. {problem} Faktura jest zapisana i nie zginie."
        case PrintState.UNCERTAIN.value:
            return "Nie wiadomo, czy wydruk wyszedł. Jest w drukarce cały: wydaj go. Nie ma go: wydrukuj ponownie."
        case PrintState.QUEUED.value | PrintState.PRINTING.value:
            return "Faktura jest zapisana. Trwa drukowanie."
        case _:
            return None
