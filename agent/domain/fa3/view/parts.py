"""Parts of an FA(3) document: parties, lines, payment, terms, attachment."""

from __future__ import annotations

from decimal import Decimal

from agent.domain.fa3.view.lines import LineView, OrderView
from agent.domain.fa3.view.nodes import Node
from agent.domain.fa3.view.notes import AttachedBlock, AttachedTable, Register
from agent.domain.fa3.view.parties import Contact, PartyView
from agent.domain.fa3.view.payment import BankAccount, Charge, DueDate, PartialPayment, PaymentView, Settlement
from agent.domain.fa3.view.terms import Reference, Terms, Transport
from agent.domain.invoice import Address


def address(node: Node | None) -> Address | None:
    """TAdres."""
    if node is None:
        return None
    return Address(node.need_text("AdresL1"), node.text("AdresL2"), node.need_text("KodKraju"))


def party(node: Node, *, address_name: str = "Adres") -> PartyView:
    """Podmiot1, Podmiot2, Podmiot3, PodmiotUpowazniony, Podmiot1K, Podmiot2K, Przewoznik."""
    identity = node.need("DaneIdentyfikacyjne")
    where = node.child(address_name)
    return PartyView(
        name=identity.text("Nazwa"),
        address=address(where),
        nip=identity.text("NIP"),
        internal_id=identity.text("IDWew"),
        eu_vat=identity.text("NrVatUE"),
        other_id=identity.text("NrID"),
        id_country=identity.text("KodUE") or identity.text("KodKraju"),
        prefix=node.text("PrefiksPodatnika"),
        eori=node.text("NrEORI"),
        gln=where.text("GLN") if where is not None else None,
        mail_address=address(node.child("AdresKoresp")),
        contacts=tuple(
            Contact(
                contact.text("Email") or contact.text("EmailPU"),
                contact.text("Telefon") or contact.text("TelefonPU"),
            )
            for contact in node.children("DaneKontaktowe")
        ),
        status=node.text("StatusInfoPodatnika"),
        customer_number=node.text("NrKlienta"),
        buyer_key=node.text("IDNabywcy"),
        role=node.text("Rola") or node.text("RolaPU"),
        role_description=node.text("OpisRoli"),
        share=node.number("Udzial"),
        local_government=node.flag("JST"),
        vat_group=node.flag("GV"),
    )


def line(node: Node) -> LineView:
    """FaWiersz. Where net and gross are given and one is 0.00, that was only filled in, as shops' systems do."""
    net, gross = node.number("P_11"), node.number("P_11A")
    with_net, with_gross = net or not gross, gross or not net
    return LineView(
        number=int(node.need_number("NrWierszaFa")),
        name=node.text("P_7"),
        uu_id=node.text("UU_ID"),
        sold_on=node.day("P_6A"),
        index=node.text("Indeks"),
        gtin=node.text("GTIN"),
        pkwiu=node.text("PKWiU"),
        cn=node.text("CN"),
        pkob=node.text("PKOB"),
        unit=node.text("P_8A"),
        quantity=node.number("P_8B"),
        price_net=_filled(node.number("P_9A"), needless=not with_net),
        price_gross=_filled(node.number("P_9B"), needless=not with_gross),
        discount=node.number("P_10"),
        net=_filled(net, needless=not with_net),
        gross=_filled(gross, needless=not with_gross),
        tax=_filled(node.number("P_11Vat"), needless=bool(net or gross)),
        rate=node.text("P_12"),
        oss_rate=node.number("P_12_XII"),
        annex_15=node.flag("P_12_Zal_15"),
        excise=node.number("KwotaAkcyzy"),
        gtu=node.text("GTU"),
        procedure=node.text("Procedura"),
        exchange_rate=node.number("KursWaluty"),
        before=node.flag("StanPrzed"),
    )


def _filled(value: Decimal | None, *, needless: bool) -> Decimal | None:
    return None if needless and not value else value


def order(node: Node | None) -> OrderView | None:
    """Zamowienie."""
    if node is None:
        return None
    return OrderView(
        value=node.need_number("WartoscZamowienia"),
        lines=tuple(order_line(child) for child in node.children("ZamowienieWiersz")),
    )


def order_line(node: Node) -> LineView:
    """ZamowienieWiersz."""
    return LineView(
        number=int(node.need_number("NrWierszaZam")),
        name=node.text("P_7Z"),
        uu_id=node.text("UU_IDZ"),
        index=node.text("IndeksZ"),
        gtin=node.text("GTINZ"),
        pkwiu=node.text("PKWiUZ"),
        cn=node.text("CNZ"),
        pkob=node.text("PKOBZ"),
        unit=node.text("P_8AZ"),
        quantity=node.number("P_8BZ"),
        price_net=node.number("P_9AZ"),
        net=node.number("P_11NettoZ"),
        tax=node.number("P_11VatZ"),
        rate=node.text("P_12Z"),
        oss_rate=node.number("P_12Z_XII"),
        annex_15=node.flag("P_12Z_Zal_15"),
        excise=node.number("KwotaAkcyzyZ"),
        gtu=node.text("GTUZ"),
        procedure=node.text("ProceduraZ"),
        before=node.flag("StanPrzedZ"),
    )


def settlement(node: Node | None) -> Settlement | None:
    """Rozliczenie."""
    if node is None:
        return None
    return Settlement(
        charges=_charges(node, "Obciazenia"),
        charges_sum=node.number("SumaObciazen"),
        deductions=_charges(node, "Odliczenia"),
        deductions_sum=node.number("SumaOdliczen"),
        to_pay=node.number("DoZaplaty"),
        to_settle=node.number("DoRozliczenia"),
    )


def _charges(node: Node, name: str) -> tuple[Charge, ...]:
    return tuple(Charge(child.need_number("Kwota"), child.need_text("Powod")) for child in node.children(name))


def payment(node: Node | None) -> PaymentView | None:
    """Platnosc."""
    if node is None:
        return None
    discount = node.child("Skonto")
    return PaymentView(
        paid=node.flag("Zaplacono"),
        paid_on=node.day("DataZaplaty"),
        partly=node.text("ZnacznikZaplatyCzesciowej"),
        partials=tuple(
            PartialPayment(
                amount=part.need_number("KwotaZaplatyCzesciowej"),
                paid_on=part.need_day("DataZaplatyCzesciowej"),
                form=part.text("FormaPlatnosci"),
                other_form=part.text("OpisPlatnosci"),
            )
            for part in node.children("ZaplataCzesciowa")
        ),
        due=tuple(_due(child) for child in node.children("TerminPlatnosci")),
        form=node.text("FormaPlatnosci"),
        other_form=node.text("OpisPlatnosci"),
        accounts=tuple(_account(child) for child in node.children("RachunekBankowy")),
        factor_accounts=tuple(_account(child) for child in node.children("RachunekBankowyFaktora")),
        discount_terms=discount.text("WarunkiSkonta") if discount is not None else None,
        discount_amount=discount.text("WysokoscSkonta") if discount is not None else None,
        link=node.text("LinkDoPlatnosci"),
        ipksef=node.text("IPKSeF"),
    )


def _due(node: Node) -> DueDate:
    words = node.child("TerminOpis")
    if words is None:
        return DueDate(node.day("Termin"))
    parts = (words.text("Ilosc"), words.text("Jednostka"), words.text("ZdarzeniePoczatkowe"))
    return DueDate(node.day("Termin"), " ".join(part for part in parts if part))


def _account(node: Node) -> BankAccount:
    return BankAccount(
        number=node.need_text("NrRB"),
        swift=node.text("SWIFT"),
        bank=node.text("NazwaBanku"),
        description=node.text("OpisRachunku"),
        own=node.text("RachunekWlasnyBanku"),
    )


def terms(node: Node | None) -> Terms | None:
    """WarunkiTransakcji."""
    if node is None:
        return None
    return Terms(
        contracts=tuple(Reference(c.day("DataUmowy"), c.text("NrUmowy")) for c in node.children("Umowy")),
        orders=tuple(Reference(c.day("DataZamowienia"), c.text("NrZamowienia")) for c in node.children("Zamowienia")),
        batches=node.texts("NrPartiiTowaru"),
        delivery=node.text("WarunkiDostawy"),
        agreed_rate=node.number("KursUmowny"),
        agreed_currency=node.text("WalutaUmowna"),
        transports=tuple(_transport(child) for child in node.children("Transport")),
        intermediary=node.flag("PodmiotPosredniczacy"),
    )


def _transport(node: Node) -> Transport:
    carrier = node.child("Przewoznik")
    via = (address(child) for child in node.children("WysylkaPrzez"))
    return Transport(
        kind=node.text("RodzajTransportu"),
        other_kind=node.text("OpisInnegoTransportu"),
        carrier=party(carrier, address_name="AdresPrzewoznika") if carrier is not None else None,
        order_number=node.text("NrZleceniaTransportu"),
        cargo=node.text("OpisLadunku"),
        other_cargo=node.text("OpisInnegoLadunku"),
        packaging=node.text("JednostkaOpakowania"),
        starts=node.text("DataGodzRozpTransportu"),
        ends=node.text("DataGodzZakTransportu"),
        sent_from=address(node.child("WysylkaZ")),
        sent_via=tuple(place for place in via if place is not None),
        sent_to=address(node.child("WysylkaDo")),
    )


def registers(node: Node | None) -> tuple[Register, ...]:
    """Stopka/Rejestry."""
    if node is None:
        return ()
    return tuple(
        Register(child.text("PelnaNazwa"), child.text("KRS"), child.text("REGON"), child.text("BDO"))
        for child in node.children("Rejestry")
    )


def footer(node: Node | None) -> tuple[str, ...]:
    """Stopka/Informacje/StopkaFaktury."""
    if node is None:
        return ()
    texts = (child.text("StopkaFaktury") for child in node.children("Informacje"))
    return tuple(text for text in texts if text)


def attachment(node: Node | None) -> tuple[AttachedBlock, ...]:
    """Zalacznik."""
    if node is None:
        return ()
    return tuple(
        AttachedBlock(
            heading=block.text("ZNaglowek"),
            notes=_pairs(block, "MetaDane", "ZKlucz", "ZWartosc"),
            paragraphs=tuple(text for part in block.children("Tekst") for text in part.texts("Akapit")),
            tables=tuple(_table(table) for table in block.children("Tabela")),
        )
        for block in node.children("BlokDanych")
    )


def _table(node: Node) -> AttachedTable:
    total = node.child("Suma")
    return AttachedTable(
        notes=_pairs(node, "TMetaDane", "TKlucz", "TWartosc"),
        description=node.text("Opis"),
        header=tuple(column.need_text("NKom") for column in node.need("TNaglowek").children("Kol")),
        rows=tuple(row.texts("WKom") for row in node.children("Wiersz")),
        total=total.texts("SKom") if total is not None else (),
    )


def _pairs(node: Node, name: str, key: str, value: str) -> tuple[tuple[str, str], ...]:
    return tuple((child.need_text(key), child.need_text(value)) for child in node.children(name))
