"""Read any FA(3) document into a FaView (document.py)."""

from __future__ import annotations

from decimal import Decimal

from agent.domain.errors import BadInput
from agent.domain.fa3.view import parts
from agent.domain.fa3.view.annotations import Annotations, Margin, NewVehicle
from agent.domain.fa3.view.document import FaView, Heading, Kind
from agent.domain.fa3.view.lines import RATE_FIELDS, LineView, RateView
from agent.domain.fa3.view.nodes import Node, parse
from agent.domain.fa3.view.notes import NoteView
from agent.domain.fa3.view.related import AdvanceInvoice, AdvancePart, CorrectionView
from agent.domain.invoice import CorrectedBase

OSS_LABEL = "OSS"
MARGIN_LABEL = "marża"


def read(xml: bytes) -> FaView:
    """Read a schema-valid FA(3) document.

    BadInput where it fails the strict XML rules (fa3_schema.check_bytes) or lacks what the schema demands; the
    schema itself is not asked.
    """
    root = parse(xml)
    header = root.need("Naglowek")
    fa = root.need("Fa")
    kind = _kind(fa)
    lines = tuple(parts.line(node) for node in fa.children("FaWiersz"))
    order = parts.order(fa.child("Zamowienie"))
    authorised = root.child("PodmiotUpowazniony")
    period = fa.child("OkresFa")
    return FaView(
        kind=kind,
        number=fa.need_text("P_2"),
        issued_on=fa.need_day("P_1"),
        made_at=header.need_text("DataWytworzeniaFa"),
        currency=fa.need_text("KodWaluty"),
        seller=parts.party(root.need("Podmiot1")),
        buyer=parts.party(root.need("Podmiot2")),
        gross=fa.need_number("P_15"),
        annotations=_annotations(fa.need("Adnotacje")),
        rates=_rates(fa, lines + (order.lines if order is not None else ())),
        lines=lines,
        third_parties=tuple(parts.party(node) for node in root.children("Podmiot3")),
        authorised=parts.party(authorised) if authorised is not None else None,
        issued_at_place=fa.text("P_1M"),
        sold_on=fa.day("P_6"),
        period=(period.need_day("P_6_Od"), period.need_day("P_6_Do")) if period is not None else None,
        warehouse_documents=fa.texts("WZ"),
        advance_exchange_rate=fa.number("KursWalutyZ"),
        correction=_correction(fa) if kind.corrects or fa.child("DaneFaKorygowanej") is not None else None,
        advance_parts=tuple(
            AdvancePart(node.need_day("P_6Z"), node.need_number("P_15Z"), node.number("KursWalutyZW"))
            for node in fa.children("ZaliczkaCzesciowa")
        ),
        advance_invoices=tuple(
            AdvanceInvoice(node.text("NrFaZaliczkowej"), node.text("NrKSeFFaZaliczkowej"))
            for node in fa.children("FakturaZaliczkowa")
        ),
        to_receipt=fa.flag("FP"),
        related_parties=fa.flag("TP"),
        excise_refund=fa.flag("ZwrotAkcyzy"),
        notes=tuple(_note(node) for node in fa.children("DodatkowyOpis")),
        settlement=parts.settlement(fa.child("Rozliczenie")),
        payment=parts.payment(fa.child("Platnosc")),
        terms=parts.terms(fa.child("WarunkiTransakcji")),
        order=order,
        footer=parts.footer(root.child("Stopka")),
        registers=parts.registers(root.child("Stopka")),
        attachment=parts.attachment(root.child("Zalacznik")),
        system=header.text("SystemInfo"),
    )


def read_heading(xml: bytes) -> Heading:
    """Read what a potwierdzenie shows, a third of the work. BadInput as of read()."""
    root = parse(xml)
    fa = root.need("Fa")
    return Heading(
        kind=_kind(fa),
        number=fa.need_text("P_2"),
        issued_on=fa.need_day("P_1"),
        currency=fa.need_text("KodWaluty"),
        seller=parts.party(root.need("Podmiot1")),
        buyer=parts.party(root.need("Podmiot2")),
        gross=fa.need_number("P_15"),
        settlement=parts.settlement(fa.child("Rozliczenie")),
    )


def _kind(fa: Node) -> Kind:
    word = fa.need_text("RodzajFaktury")
    try:
        return Kind(word)
    except ValueError:
        raise BadInput(f"Nieznany rodzaj faktury: {word}.", code="xml-schema") from None


def _note(node: Node) -> NoteView:
    line = node.number("NrWiersza")
    return NoteView(node.need_text("Klucz"), node.need_text("Wartosc"), int(line) if line is not None else None)


def _rates(fa: Node, lines: tuple[LineView, ...]) -> tuple[RateView, ...]:
    found = []
    in_pln = fa.need_text("KodWaluty") == "PLN"
    for field in RATE_FIELDS:
        net = fa.number(f"P_13_{field}")
        if net is None:
            continue
        tax, tax_pln = fa.number(f"P_14_{field}"), fa.number(f"P_14_{field}W")
        if not tax_pln and in_pln:
            tax_pln = None  # nothing is converted there; a shop's system may fill every field
        if not (net or tax or tax_pln or _used(field, lines)):
            continue  # a field filled with 0.00 is no such sale
        found.append(RateView(field, net, tax, tax_pln, _rate_words(field, lines, net, tax)))
    return tuple(found)


def _used(field: str, lines: tuple[LineView, ...]) -> bool:
    return any(line.rate in RATE_FIELDS[field] or (field == "5" and line.oss_rate is not None) for line in lines)


def _rate_words(field: str, lines: tuple[LineView, ...], net: Decimal, tax: Decimal | None) -> tuple[str, ...]:
    """Name the rates that a P_13_x stands for: those of the lines, else the one that fits the tax best."""
    if field == "11":
        return (MARGIN_LABEL,)
    if field == "5":
        rates = sorted({line.oss_rate for line in lines if line.oss_rate is not None}, reverse=True)
        return tuple(f"{OSS_LABEL} {rate.normalize():f}%" for rate in rates) or (OSS_LABEL,)
    words = RATE_FIELDS[field]
    used = {line.rate for line in lines}
    in_lines = tuple(word for word in words if word in used)
    if in_lines or len(words) == 1 or tax is None:
        return in_lines or words[:1]
    return (min(words, key=lambda word: abs(net * Decimal(word) / 100 - tax)),)


def _annotations(node: Node) -> Annotations:
    exemption = node.need("Zwolnienie")
    vehicles = node.need("NoweSrodkiTransportu")
    margin = node.need("PMarzy")
    return Annotations(
        cash_accounting=node.flag("P_16"),
        self_billing=node.flag("P_17"),
        reverse_charge=node.flag("P_18"),
        split_payment=node.flag("P_18A"),
        exempt=exemption.flag("P_19"),
        exemption_act=exemption.text("P_19A"),
        exemption_directive=exemption.text("P_19B"),
        exemption_other=exemption.text("P_19C"),
        new_vehicles=tuple(_vehicle(child) for child in vehicles.children("NowySrodekTransportu")),
        vehicle_duty=vehicles.flag("P_42_5"),
        triangular=node.flag("P_23"),
        margin=next((kind for kind in Margin if margin.flag(kind)), None),
    )


def _vehicle(node: Node) -> NewVehicle:
    known = {"P_22A", "P_NrWierszaNST"}
    return NewVehicle(
        first_used=node.need_day("P_22A"),
        line=int(node.need_number("P_NrWierszaNST")),
        details=tuple((child.tag, child.value) for child in node.elements() if child.tag not in known),
    )


def _correction(fa: Node) -> CorrectionView:
    seller = fa.child("Podmiot1K")
    return CorrectionView(
        bases=tuple(
            CorrectedBase(
                number=node.need_text("NrFaKorygowanej"),
                issued_on=node.need_day("DataWystFaKorygowanej"),
                ksef_number=node.text("NrKSeFFaKorygowanej"),
            )
            for node in fa.children("DaneFaKorygowanej")
        ),
        reason=fa.text("PrzyczynaKorekty"),
        effect=fa.text("TypKorekty"),
        period=fa.text("OkresFaKorygowanej"),
        right_number=fa.text("NrFaKorygowany"),
        seller_before=parts.party(seller) if seller is not None else None,
        buyers_before=tuple(parts.party(node) for node in fa.children("Podmiot2K")),
        gross_before=fa.number("P_15ZK"),
        exchange_rate_before=fa.number("KursWalutyZK"),
    )
