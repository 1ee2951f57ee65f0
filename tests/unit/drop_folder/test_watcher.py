"""The watched folder: what is taken when, what it answers, and that nothing is made twice or lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import AgentError, Unavailable
from agent.domain.exchange.requests import older_content_of
from agent.domain.invoice import InvoiceRecord, Mode
from agent.ports import InvoiceFilter, Look, Place, Rejected, SendBudget
from agent.services.exchange import issue_requests, watcher
from tests.fakes import counter
from tests.fakes.drop_folder import Shop, folder_settings, remembered
from tests.fakes.exchange import Item, Paperwork, epp
from tests.fakes.folder import FakeFolder
from tests.fakes.world import CASHIER, MANAGER, SELLER, press_until_answered, sale, world

COFFEE = Item("KAWA", "Kawa „Źdźbło” 1 kg", Decimal("64.90"), Decimal(2))
SHOP = {11: SELLER.nip}


@asynccontextmanager
async def shop(tmp_path: Path, folder: FakeFolder | None = None, **changes: Any) -> AsyncIterator[Shop]:
    async with world(tmp_path, given=folder_settings(tmp_path, **changes)) as place:
        yield Shop(place, folder or FakeFolder())


async def invoices(of: Shop) -> list[InvoiceRecord]:
    return await of.place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=100_000)))


def problems(of: Shop) -> dict[str, tuple[str, bool]]:
    assert of.watch.problems is not None
    return of.watch.problems


def document(answer: dict[str, Any]) -> dict[str, Any]:
    (only,) = answer["documents"]
    assert isinstance(only, dict)
    return only


# --- what is taken ---------------------------------------------------------------------------------------


async def test_a_sale_is_issued_printed_and_answered(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        answer = await here.take("zamówienie 1.json", json.dumps(sale(external_ref="order-1")))
        assert (answer["status"], answer["duplicate"]) == ("issued", False)
        assert answer["file"] == "zamówienie 1.json"
        made = document(answer)
        assert made["invoice"]["state"] == "accepted"
        assert made["invoice"]["ksef_number"]
        assert made["invoice"]["external_ref"] == "order-1"
        assert made["invoice"]["pressed_by"] == "folder"
        assert len(here.place.printer.papers) == 1
        assert here.folder.in_place(Place.INBOX) == []
        assert here.folder.in_place(Place.DONE) == ["zamówienie 1.json", "zamówienie 1.result.json"]
        raw = here.folder.content(Place.DONE, "zamówienie 1.result.json")
        assert raw is not None
        assert raw.isascii()


@pytest.mark.parametrize(("left", "online"), [(13, 3), (10, 0), (30, 6)])
async def test_files_nobody_waits_for_leave_single_sends_to_presses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, online: int
) -> None:
    async with shop(tmp_path, print=False) as here:
        gateway = here.place.gateway
        monkeypatch.setattr(
            gateway, "budget", lambda: SendBudget(180, 0.0, left - len(gateway.sent), per_minute=30, per_hour=180)
        )
        for number in range(6):
            here.folder.drop(f"{number}.json", json.dumps(sale(external_ref=str(number))))
        await here.passes()
        made = await invoices(here)
        assert [each.mode for each in made].count(Mode.ONLINE) == online
        assert {each.reason for each in made if each.mode is not Mode.ONLINE} <= {
            "Resztę limitu wysyłek do KSeF zostawiono kasie."
        }
        pressed = await press_until_answered(here.place, "counter")
        assert pressed.mode is Mode.ONLINE, "a customer waits"


async def test_without_printing(tmp_path: Path) -> None:
    async with shop(tmp_path, print=False) as here:
        await here.take("a.json", json.dumps(sale()))
        await here.passes(3)
        assert here.place.printer.papers == []
        assert document(here.answer("a.json"))["invoice"]["state"] == "accepted"


async def test_a_file_is_taken_when_two_looks_agree(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        text = json.dumps(sale())
        here.folder.drop("a.json", text[:40])
        await here.passes(1)
        here.folder.drop("a.json", text[:80])
        await here.passes(1)
        here.folder.drop("a.json", text)
        await here.passes(1)
        assert await invoices(here) == []
        await here.passes(1)
        assert len(await invoices(here)) == 1


async def test_half_a_file_gets_a_minute_to_become_whole(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        text = json.dumps(sale())
        here.folder.drop("a.json", text[:80])
        await here.passes(10)
        assert here.folder.in_place(Place.INBOX) == ["a.json"]
        here.folder.drop("a.json", text)
        await here.passes(2)
        assert len(await invoices(here)) == 1
        answer_after = await _patiently(here, "b.json", text[:80])
        assert answer_after["status"] == "refused"
        assert document(answer_after)["problem"]["code"] == "not-json"


async def test_the_minute_ends_with_its_last_second(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        clock = here.place.clock
        here.folder.drop("a.json", json.dumps(sale())[:80])
        end = clock.monotonic() + watcher.PATIENCE_SECONDS
        await here.watch.pass_once()
        await clock.advance(watcher.PATIENCE_SECONDS - 10)
        await here.passes(1)
        assert here.folder.in_place(Place.INBOX) == ["a.json"]
        await clock.advance(end - clock.monotonic())
        clock.asleep.clear()
        looking = asyncio.ensure_future(here.watch.pass_once())
        await clock.asleep.wait()  # after a look at a file it rests
        assert here.folder.in_place(Place.INBOX) == []
        while not looking.done():
            await clock.advance(0.2)


async def _patiently(here: Shop, name: str, data: bytes | str) -> dict[str, Any]:
    here.folder.drop(name, data)
    await here.passes(2 + int(watcher.PATIENCE_SECONDS / 10), seconds=10.0)
    return here.answer(name)


@pytest.mark.parametrize("name", [".a.json", "~a.json", "a.json.tmp", "a.result.json", "a.txt", "json", "a.json~"])
async def test_other_files_are_left_alone(tmp_path: Path, name: str) -> None:
    async with shop(tmp_path) as here:
        here.folder.drop(name, json.dumps(sale()))
        await here.passes(3)
        assert here.folder.in_place(Place.INBOX) == [name]
        assert await invoices(here) == []


async def test_only_the_formats_of_the_settings_are_taken(tmp_path: Path) -> None:
    async with shop(tmp_path, formats=("epp",)) as here:
        here.folder.drop("a.json", json.dumps(sale()))
        await here.passes(3)
        assert here.folder.in_place(Place.INBOX) == ["a.json"]


async def test_a_ready_fa3_and_its_bytes(tmp_path: Path) -> None:
    async with shop(tmp_path, results=("xml", "pdf")) as here:
        await here.take("a.json", json.dumps(sale()))
        xml = here.folder.content(Place.DONE, "a.result.xml")
        assert xml is not None
        assert xml.startswith(b"<?xml")
        pdf = here.folder.content(Place.DONE, "a.result.pdf")
        assert pdf is not None
        assert pdf.startswith(b"%PDF")
        again = xml.replace(b"/000001<", b"/900001<")
        answer = await here.take("b.XML", again)
        assert document(answer)["invoice"]["number"].endswith("/900001")
        assert here.folder.content(Place.DONE, "b.result.xml") == again


# --- duplicates ------------------------------------------------------------------------------------------


async def test_the_same_file_again_is_the_same_sale(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        first = await here.take("a.json", json.dumps(sale()))
        second = await here.take("a.json", json.dumps(sale()))
        assert second["duplicate"]
        assert document(second)["replayed"]
        assert document(second)["invoice"]["number"] == document(first)["invoice"]["number"]
        assert len(await invoices(here)) == 1
        assert len(here.place.printer.papers) == 1


async def test_the_same_name_with_other_content_is_another_sale(tmp_path: Path) -> None:
    async with shop(tmp_path, print=False) as here:
        here.place.gateway.up = False
        first = await here.take("a.json", json.dumps(sale(external_ref="1")))
        second = await here.take("a.json", json.dumps(sale(external_ref="2")))
        assert not second["duplicate"]
        assert document(second)["invoice"]["external_ref"] == "2"
        aside = f"a~{first['sha256'][:8]}"
        assert here.folder.in_place(Place.DONE) == ["a.json", "a.result.json", f"{aside}.json", f"{aside}.result.json"]
        here.place.gateway.up = True
        await here.place.catch_up()
        await here.passes(1)
        for stem, reference in (("a", "2"), (aside, "1")):
            data = here.folder.content(Place.DONE, f"{stem}.result.json")
            assert data is not None
            invoice = document(json.loads(data))["invoice"]
            assert (invoice["external_ref"], bool(invoice["ksef_number"])) == (reference, True)


async def test_the_same_content_under_another_name_is_another_sale(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        await here.take("a.json", json.dumps(sale()))
        await here.take("b.json", json.dumps(sale()))
        assert len(await invoices(here)) == 2


async def test_two_formats_of_one_stem_keep_both_answers(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        await here.take("a.json", json.dumps(sale()))
        await here.take("a.epp", epp(Paperwork([COFFEE]), info=SHOP))
        results = [name for name in here.folder.in_place(Place.DONE) if name.endswith(".result.json")]
        assert len(results) == 2


@pytest.mark.parametrize(("suffix", "later"), [("JSON", "json"), ("json", "Json")])
async def test_two_suffixes_of_one_format_keep_both_answers(tmp_path: Path, suffix: str, later: str) -> None:
    async with shop(tmp_path) as here:
        here.place.gateway.up = False
        first = await here.take(f"a.{suffix}", json.dumps(sale(external_ref="1")))
        await here.take(f"a.{later}", json.dumps(sale(external_ref="2")))
        aside = f"a~{first['sha256'][:8]}"
        there = {f"a.{later}", "a.result.json", f"{aside}.{suffix}", f"{aside}.result.json"}
        assert set(here.folder.in_place(Place.DONE)) == there
        here.place.gateway.up = True
        await here.place.catch_up()
        await here.passes(1)
        for stem, reference in (("a", "2"), (aside, "1")):
            data = here.folder.content(Place.DONE, f"{stem}.result.json")
            assert data is not None
            invoice = document(json.loads(data))["invoice"]
            assert (invoice["external_ref"], bool(invoice["ksef_number"])) == (reference, True)


@pytest.mark.parametrize("length", [160, 161, 241, 250])
async def test_a_long_name_makes_room_as_a_short_one_does(tmp_path: Path, length: int) -> None:
    name = f"{'ż' * (length // 2)}{'x' * (length % 2)}.json"
    async with shop(tmp_path) as here:
        here.folder.drop(name, json.dumps(sale(external_ref="1")))
        await here.passes()
        here.folder.drop(name, json.dumps(sale(external_ref="2")))
        await here.passes()
        assert here.folder.in_place(Place.TAKEN) == []
        done = here.folder.in_place(Place.DONE)
        assert len(done) == 4
        assert name in done
        answers = [here.folder.content(Place.DONE, each) for each in done if each.endswith(".result.json")]
        told = {document(json.loads(each or b""))["invoice"]["external_ref"] for each in answers}
        assert told == {"1", "2"}


# --- refused ---------------------------------------------------------------------------------------------


async def test_a_refused_file_lies_beside_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path) as here:
        wrong = sale(buyer={"nip": "1111111112", "name": "X", "address": {"line1": "Y"}})
        answer = await here.take("a.json", json.dumps(wrong))
        assert answer["status"] == "refused"
        problem = document(answer)["problem"]
        assert problem["code"] == "nip-checksum"
        assert problem["errors"][0]["pointer"] == "/buyer/nip"
        assert here.folder.in_place(Place.REFUSED) == ["a.json", "a.result.json", "a.result.txt"]
        text = here.folder.content(Place.REFUSED, "a.result.txt")
        assert text is not None
        assert text.startswith(b"\xef\xbb\xbf")
        assert "NIP" in text.decode("utf-8-sig")
        assert await invoices(here) == []
        sentence, everything_waits = problems(here)["refused"]
        assert sentence.startswith("W katalogu wymiany są odrzucone pliki (1)")
        assert not everything_waits, "the others are taken"
        corrected = await here.take("a.json", json.dumps(sale()))
        assert corrected["status"] == "refused", "the refused one still lies there"
        counted: list[Place] = []
        count = here.folder.count

        def counting(place: Place, *wanted: Any) -> Awaitable[int]:
            counted.append(place)
            return count(place, *wanted)

        monkeypatch.setattr(here.folder, "count", counting)
        for number in range(3):
            await here.take(f"good-{number}.json", json.dumps(sale(external_ref=str(number))))
        assert counted == [], "what was issued changes nothing among the refused"
        assert here.folder.content(Place.DONE, "a.result.json") is not None


async def test_the_same_file_that_is_issued_at_last_is_no_refused_one_any_more(tmp_path: Path) -> None:
    """An order whose base came later; what was said of the first try lies beside the answer, nothing is deleted."""
    async with shop(tmp_path) as here:
        correction = {"kind": "full_return", "payments": []}
        text = json.dumps({"invoice": "FV-1/2026/11/000001", "correction": correction})
        assert (await here.take("zwrot.json", text))["status"] == "refused"
        await here.take("sale.json", json.dumps(sale()))
        (sold,) = await invoices(here)
        here.folder.drop("inny.json", json.dumps({"invoice": "brak", "correction": correction}))
        assert sold.number in text
        await here.passes(3)
        here.folder.drop("zwrot.json", text)
        await here.passes(3)
        answer = json.loads(here.folder.content(Place.DONE, "zwrot.result.json") or b"{}")
        assert answer["status"] == "issued"
        assert here.folder.in_place(Place.REFUSED) == ["inny.json", "inny.result.json", "inny.result.txt"]
        old = [name for name in here.folder.in_place(Place.DONE) if "~refused" in name]
        assert [name.partition("~refused")[2] for name in old] == [".json", ".result.json", ".result.txt"]
        assert problems(here)["refused"][0].startswith("W katalogu wymiany są odrzucone pliki (1)")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (json.dumps(sale(), ensure_ascii=False).replace("Chleb", "Żurek").encode("cp1250"), "Windows-1250"),
        (json.dumps(sale(), ensure_ascii=False).replace("Chleb", "Żurek ąś").encode("iso8859-2"), "ISO 8859-2"),
        (json.dumps(sale(), ensure_ascii=False).replace("Chleb", "Żurek ąś").encode("cp852"), "DOS 852"),
        (b'{"lines": "\xff\xfe\xfd"}', "nieznanej stronie kodowej"),
        (b"[]}", "JSON"),
        (b'{"a": 1, "a": 2}', "dwa razy"),
    ],
)
async def test_what_cannot_be_read_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    async with shop(tmp_path) as here:
        answer = await here.take("a.json", data)
        assert answer["status"] == "refused"
        assert words in document(answer)["problem"]["detail"]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
async def test_marks_of_encodings_are_believed(tmp_path: Path, codec: str) -> None:
    async with shop(tmp_path) as here:
        lines = [{"name": "Żurek", "quantity": "1", "unit_price": "8.00", "vat": "5"}]
        await here.take("a.json", json.dumps(sale(lines=lines), ensure_ascii=False).encode(codec))
        (record,) = await invoices(here)
        assert "Żurek".encode() in record.xml


async def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        answer = await here.take("a.json", b" " * (here.place.settings.api.max_body_bytes + 1))
        assert document(answer)["problem"]["code"] == "body-too-large"


# --- EDI++ -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (r'{"invoice": "\ud800", "correction": {"kind": "full_return"}}', "/invoice"),
        (r'{"invoice": "%s", "correction": {"kind": "full_return", "reason": "\ud800"}}', "/correction/reason"),
        (
            r'{"invoice": "%s", "correction": {"kind": "collective", "bases": [{"number": "\ud800"}]}}',
            "/correction/bases/0/number",
        ),
    ],
)
async def test_half_a_character_is_refused_and_the_file_leaves(tmp_path: Path, body: str, pointer: str) -> None:
    async with shop(tmp_path) as here:
        base = await press_until_answered(here.place, "a")
        text = body.replace("%s", base.number)
        problem = document(await here.take("back.json", text))["problem"]
        assert problem["code"] == "forbidden-character"
        assert [each["pointer"] for each in problem["errors"]] == [pointer]
        assert here.folder.in_place(Place.TAKEN) == []


async def test_the_documents_of_a_file_and_the_way_back(tmp_path: Path) -> None:
    async with shop(tmp_path, results=("epp", "xml")) as here:
        data = epp(
            Paperwork([COFFEE], number="FS 1/2026"),
            Paperwork([COFFEE], kind="WZ", number="WZ 7/2026"),
            Paperwork([COFFEE], number="FS 2/2026"),
            info=SHOP,
        )
        answer = await here.take("dzien.epp", data)
        assert answer["status"] == "issued"
        statuses = [(each["name"], each["status"]) for each in answer["documents"]]
        assert statuses == [("FS 1/2026", "issued"), ("WZ 7/2026", "skipped"), ("FS 2/2026", "issued")]
        assert [record.external_ref for record in await invoices(here)] == ["2/2026", "1/2026"]
        back = here.folder.content(Place.DONE, "dzien.result.epp")
        assert back is not None
        numbers = [each["invoice"]["ksef_number"] for each in answer["documents"] if each["invoice"]]
        assert all(number.encode() in back for number in numbers)
        names = here.folder.in_place(Place.DONE)
        assert {"dzien.1.result.xml", "dzien.3.result.xml"} <= set(names)


async def test_a_document_in_two_exports_is_issued_once(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        morning = epp(Paperwork([COFFEE], number="FS 1/2026"), info=SHOP)
        day = epp(Paperwork([COFFEE], number="FS 1/2026"), Paperwork([COFFEE], number="FS 2/2026"), info=SHOP)
        await here.take("rano.epp", morning)
        answer = await here.take("dzien.epp", day)
        assert [each["replayed"] for each in answer["documents"]] == [True, False]
        assert len(await invoices(here)) == 2
        changed = epp(Paperwork([COFFEE, COFFEE], number="FS 1/2026"), info=SHOP)
        answer = await here.take("zmiana.epp", changed)
        assert document(answer)["problem"]["code"] == "idempotency-key-reused"
        other = epp(Paperwork([COFFEE], number="FS 1/2026", fields={14: "Inna Firma", 17: "ul. Inna 1"}), info=SHOP)
        answer = await here.take("nabywca.epp", other)
        assert document(answer)["problem"]["code"] == "idempotency-key-reused"


async def test_a_document_that_an_older_version_issued_is_told_in_a_later_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path) as here:
        file = epp(Paperwork([COFFEE], number="FS 1/2026"), info=SHOP)
        with monkeypatch.context() as older:
            older.setattr(issue_requests, "content_of", lambda _, document: older_content_of(document))
            await here.take("rano.epp", file)
        answer = await here.take("dzien.epp", file)
        assert [each["replayed"] for each in answer["documents"]] == [True]
        assert len(await invoices(here)) == 1


async def test_one_refused_document_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        wrong = Paperwork([COFFEE], number="FS 1/2026", fields={18: "1111111112"})
        answer = await here.take("a.epp", epp(wrong, Paperwork([COFFEE], number="FS 2/2026"), info=SHOP))
        assert answer["status"] == "partly"
        assert [each["status"] for each in answer["documents"]] == ["refused", "issued"]
        text = here.folder.content(Place.REFUSED, "a.result.txt")
        assert text is not None
        assert "FS 1/2026: NIE WYSTAWIONO" in text.decode("utf-8-sig")
        right = epp(Paperwork([COFFEE], number="FS 1/2026"), Paperwork([COFFEE], number="FS 2/2026"), info=SHOP)
        answer = await here.take("b.epp", right)
        assert [each["replayed"] for each in answer["documents"]] == [False, True]


async def test_numbers_of_the_shops_own_program(tmp_path: Path) -> None:
    async with shop(tmp_path, number="file") as here:
        answer = await here.take("a.epp", epp(Paperwork([COFFEE], number="FS 12/MAG/2026"), info=SHOP))
        assert document(answer)["invoice"]["number"] == "12/MAG/2026"
        returned = Paperwork(
            [Item("KAWA", COFFEE.name, COFFEE.price, Decimal(1), before=COFFEE)],
            kind="KFS",
            number="KFS 3/MAG/2026",
            fields={8: "FS 12/MAG/2026"},
        )
        answer = await here.take("b.epp", epp(returned, info=SHOP))
        assert document(answer)["invoice"]["number"] == "3/MAG/2026"
        assert document(answer)["invoice"]["kind"] == "KOR"


async def test_of_a_wrong_buyer_the_new_invoice_is_made_once(tmp_path: Path) -> None:
    """KSeF took it, and refused the correction beside it; the program corrects the invoice once more."""
    async with shop(tmp_path) as here:
        await here.take("a.epp", epp(Paperwork([COFFEE]), info=SHOP))
        same = [Item("KAWA", COFFEE.name, COFFEE.price, COFFEE.quantity, before=COFFEE)]
        here.place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
        answers = []
        for number in (3, 4):
            fields = {8: "FS 12/2026", 18: "5260250274"}
            paper = Paperwork(same, kind="KFS", number=f"KFS {number}/2026", fields=fields)
            answers.append(document(await here.take(f"{number}.epp", epp(paper, info=SHOP))))
        assert [each["status"] for each in answers] == ["rejected", "issued"]
        assert answers[0]["replacement"]["id"] == answers[1]["replacement"]["id"]
        assert answers[1]["note"] == (
            "Nową fakturę wystawiono już wcześniej; powstała tylko korekta, której do niej brakowało."
        )
        assert len(await invoices(here)) == 4


async def test_a_correction_waits_for_its_base_and_its_answer_follows(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        here.place.gateway.up = False
        await here.take("a.epp", epp(Paperwork([COFFEE]), info=SHOP))
        returned = Paperwork(
            [Item("KAWA", COFFEE.name, COFFEE.price, Decimal(1), before=COFFEE)],
            kind="KFS",
            number="KFS 3/2026",
            fields={8: "FS 12/2026"},
        )
        answer = await here.take("b.epp", epp(returned, info=SHOP))
        assert answer["status"] == "waiting"
        assert document(answer)["held"]["state"] == "waiting"
        here.place.gateway.up = True
        await here.place.catch_up()
        await here.passes(2)
        made = document(here.answer("b.epp"))
        assert (made["status"], made["held"]) == ("issued", None)
        assert made["invoice"]["external_ref"] == "3/2026"
        await here.place.catch_up()
        await here.passes(2)
        assert document(here.answer("b.epp"))["invoice"]["state"] == "accepted"
        unknown = Paperwork(returned.items, kind="KFS", number="KFS 4/2026", fields={8: "FS 99/2026"})
        assert document(await here.take("c.epp", epp(unknown, info=SHOP)))["problem"]["code"] == "epp-base"


async def test_a_taken_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was looked for twenty times a second, and nobody heard of it."""
    async with shop(tmp_path) as here:
        here.folder.files[Place.TAKEN, "a.json"] = json.dumps(sale()).encode()

        async def refused(place: Place, name: str) -> None:
            return None

        with monkeypatch.context() as patched:
            patched.setattr(here.folder, "load", refused)
            await here.passes(60)
            assert problems(here) == {
                "file:a.json": ("Plik „a.json” w katalogu wymiany czeka: nie można go odczytać.", False)
            }
        await here.passes(40)
        assert document(here.answer("a.json"))["status"] == "issued"
        assert problems(here) == {}


async def test_what_the_till_took_under_another_name_is_told(tmp_path: Path) -> None:
    """Nobody issued it, answered it or spoke of it."""
    async with shop(tmp_path) as here:
        here.folder.leave("taken-old/a.json", json.dumps(sale()))
        await here.passes(1)
        assert problems(here) == {}, "an agent may be about to issue it"
        await here.passes(40)
        (subject,) = problems(here)
        text, all_wait = problems(here)[subject]
        assert (subject, all_wait) == ("left:taken-old/a.json", False)
        assert "przenieś plik z powrotem" in text
        here.folder.of_others.clear()
        await here.passes(40)
        assert problems(here) == {}


async def test_the_day_that_is_told_is_that_of_the_document(tmp_path: Path) -> None:
    """It was the day of the answer: after midnight another one, and of a correction that waited no day at all."""
    start = datetime(2026, 11, 24, 22, 59, 56, tzinfo=UTC)
    async with world(tmp_path, given=folder_settings(tmp_path), start=start) as place:
        here = Shop(place)
        place.gateway.pending_answers = 20
        made = document(await here.take("a.epp", epp(Paperwork([COFFEE]), info=SHOP)))
        assert place.clock.now() > datetime(2026, 11, 24, 23, tzinfo=UTC), "it was answered after midnight"
        assert (made["invoice"]["issued_on"], made["note"]) == ("2026-11-24", None)
        await place.lose_the_line()
        await here.take("b.epp", epp(Paperwork([COFFEE], number="FS 13/2026"), info=SHOP))
        returned = Paperwork(
            [Item("KAWA", COFFEE.name, COFFEE.price, Decimal(1), before=COFFEE)],
            kind="KFS",
            number="KFS 3/2026",
            fields={8: "FS 13/2026"},
        )
        made = document(await here.take("c.epp", epp(returned, info=SHOP)))
        assert made["status"] == "waiting"
        told = "Data wystawienia (P_1) będzie dniem, w którym korekta powstanie, a plik podaje 20261124."
        assert made["note"] == told


async def test_a_correction_whose_number_went_to_another_one_while_it_waited_is_refused(tmp_path: Path) -> None:
    """It was tried for ever, and everybody was told that it would be issued."""
    async with shop(tmp_path, number="file") as here:
        await here.take("a.epp", epp(Paperwork([COFFEE], number="FS 11/2026"), info=SHOP))
        await here.place.lose_the_line()
        await here.take("b.epp", epp(Paperwork([COFFEE], number="FS 12/2026"), info=SHOP))
        back = [Item("KAWA", COFFEE.name, COFFEE.price, Decimal(1), before=COFFEE)]
        one = Paperwork(back, kind="KFS", number="KFS 3/2026", fields={8: "FS 12/2026"})
        other = Paperwork(back, kind="KFS", number="KFS 3/2026", fields={8: "FS 11/2026", 22: "20261123000000"})
        assert (await here.take("c.epp", epp(one, info=SHOP)))["status"] == "waiting"
        assert (await here.take("d.epp", epp(other, info=SHOP)))["status"] == "issued"
        await here.place.restore_the_line()
        await here.place.catch_up()
        await here.passes(2)
        answer = document(here.answer("c.epp"))
        assert (answer["status"], answer["held"]["state"]) == ("rejected", "refused")
        assert "Faktura o numerze 3/2026 już istnieje." in answer["held"]["hand_over"]
        assert await here.place.pending.waiting() == []


async def test_a_correction_may_stand_before_its_invoice_in_a_file(tmp_path: Path) -> None:
    """It was refused: the till did not have the invoice, it said, and issued that a moment later."""
    async with shop(tmp_path) as here:
        returned = Paperwork(
            [Item("KAWA", COFFEE.name, COFFEE.price, Decimal(1), before=COFFEE)],
            kind="KFS",
            number="KFS 3/2026",
            fields={8: "FS 12/2026"},
        )
        answer = await here.take("a.epp", epp(returned, Paperwork([COFFEE]), info=SHOP))
        assert answer["status"] == "issued"
        assert [(each["position"], each["name"], each["status"]) for each in answer["documents"]] == [
            (1, "KFS 3/2026", "issued"),
            (2, "FS 12/2026", "issued"),
        ]


async def test_a_correction_that_waited_for_what_ksef_refused_does_not_wait_any_more(tmp_path: Path) -> None:
    """Its answer said for ever that it would be issued by itself."""
    async with shop(tmp_path) as here:
        await here.place.lose_the_line()
        first = document(await here.take("a.json", json.dumps(sale())))["invoice"]
        back = {"invoice": first["number"], "correction": {"kind": "full_return"}}
        assert (await here.take("b.json", json.dumps(back)))["status"] == "waiting"
        await here.place.be_rejected(first["id"])
        await here.place.rejected.close(first["id"], "wystawiono nową", MANAGER)
        await here.place.pending.issue_ready()
        await here.passes(2)
        answer = here.answer("b.json")
        assert (answer["status"], document(answer)["status"]) == ("rejected", "rejected")
        held = document(answer)["held"]
        assert (held["state"], held["to_settle"]) == ("refused", True)
        assert "zawołaj kierownika" in held["hand_over"]
        await here.place.pending.close_case(held["id"], "oddano pieniądze", MANAGER)
        await here.passes(2)
        assert document(here.answer("b.json"))["held"]["to_settle"] is False
        assert remembered(tmp_path) == ["drop-folder:cursor"], "nothing of it will change"


# --- corrections in JSON ---------------------------------------------------------------------------------


async def test_a_return_by_number_and_one_of_an_invoice_from_elsewhere(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        first = document(await here.take("a.json", json.dumps(sale())))["invoice"]
        back = {"invoice": first["number"], "correction": {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}}
        made = document(await here.take("b.json", json.dumps(back)))
        assert (made["invoice"]["kind"], made["invoice"]["totals"]["gross"]) == ("KOR", "-61.50")
        again = document(await here.take("b.json", json.dumps(back)))
        assert again["invoice"]["number"] == made["invoice"]["number"]
        base = sale() | {"number": "OLD/1", "issued_on": "2026-11-20", "outside_ksef": True}
        made = document(await here.take("c.json", json.dumps({"base": base, "correction": {"kind": "full_return"}})))
        assert made["invoice"]["kind"] == "KOR"
        nobody = back | {"invoice": "NO/1"}
        assert document(await here.take("d.json", json.dumps(nobody)))["problem"]["code"] == "invoice-not-found"
        wrong = back | {"more": 1}
        assert document(await here.take("e.json", json.dumps(wrong)))["problem"]["code"] == "bad-input"


# --- the number that comes later ------------------------------------------------------------------------


async def test_a_number_that_comes_later_is_written_into_the_answer(tmp_path: Path) -> None:
    async with shop(tmp_path, results=("epp", "pdf")) as here:
        here.place.gateway.up = False
        await here.take("a.epp", epp(Paperwork([COFFEE]), info=SHOP))
        assert document(here.answer("a.epp"))["invoice"]["ksef_number"] is None
        here.place.gateway.up = True
        await here.place.catch_up()
        await here.passes(1)
        number = document(here.answer("a.epp"))["invoice"]["ksef_number"]
        assert number
        back = here.folder.content(Place.DONE, "a.result.epp")
        assert back is not None
        assert number.encode() in back
        written = len(here.folder.puts)
        await here.passes(3)
        assert len(here.folder.puts) == written, "written once, not at every look"
        assert remembered(tmp_path) == ["drop-folder:cursor"], "nothing is remembered of what is finished"


async def test_it_comes_over_a_restart_and_a_folder_that_was_away(tmp_path: Path) -> None:
    folder = FakeFolder()
    async with shop(tmp_path, folder) as here:
        here.place.gateway.up = False
        await here.take("a.json", json.dumps(sale()))
        gateway, clock = here.place.gateway, here.place.clock
    gateway.up = True
    folder.away = "nie odpowiada"
    async with world(tmp_path, given=folder_settings(tmp_path), clock=clock, gateway=gateway) as place:
        here = Shop(place, folder)
        await place.catch_up()
        await here.passes(2)
        assert problems(here)["folder"] == ("Katalog wymiany: nie odpowiada. Pliki czekają.", True)
        folder.away = None
        await here.passes(1)
        assert problems(here) == {}
        assert document(here.answer("a.json"))["invoice"]["ksef_number"]


async def test_a_restart_writes_nothing_anew_that_the_answer_says_already(tmp_path: Path) -> None:
    """Of two documents one has its number; the file is remembered for the other."""
    folder = FakeFolder()
    two = epp(Paperwork([COFFEE], number="FS 1/2026"), Paperwork([COFFEE], number="FS 2/2026"), info=SHOP)
    async with shop(tmp_path, folder) as here:
        await here.place.lose_the_line()
        await here.take("a.epp", two)
        await here.place.restore_the_line()
        await here.place.sender.deliver((await invoices(here))[0].id)
        written = len(folder.puts)
        await here.passes(1)
        assert len(folder.puts) > written
        gateway, clock = here.place.gateway, here.place.clock
    gateway.up = False
    written = len(folder.puts)
    async with world(tmp_path, given=folder_settings(tmp_path), clock=clock, gateway=gateway) as place:
        await Shop(place, folder).passes(2)
        assert len(folder.puts) == written


# --- trouble ---------------------------------------------------------------------------------------------


async def test_a_file_replaced_while_it_is_issued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path) as here:
        press = here.place.issuing.issue

        async def replaced(*args: Any, **more: Any) -> Any:
            if not here.folder.in_place(Place.INBOX) and not here.folder.in_place(Place.DONE):
                here.folder.drop("a.json", json.dumps(sale(external_ref="second")))
            return await press(*args, **more)

        monkeypatch.setattr(here.place.issuing, "issue", replaced)
        here.folder.drop("a.json", json.dumps(sale(external_ref="first")))
        await here.passes(4)
        assert [record.external_ref for record in await invoices(here)] == ["second", "first"]
        assert document(here.answer("a.json"))["invoice"]["external_ref"] == "second"
        assert len([name for name in here.folder.in_place(Place.DONE) if name.endswith(".result.json")]) == 2


async def test_a_file_that_changes_between_look_and_claim_waits(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        claim = here.folder.claim

        async def late(look: Look) -> None:
            if not here.folder.puts:
                here.folder.puts.append((Place.INBOX, look.name))
                here.folder.drop(look.name, json.dumps(sale(external_ref="second")))
            await claim(look)

        here.folder.claim = late  # type: ignore[method-assign]
        here.folder.drop("a.json", json.dumps(sale(external_ref="first")))
        await here.passes(4)
        assert [record.external_ref for record in await invoices(here)] == ["second"]


async def test_what_a_crash_left_among_the_taken_is_issued_first(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        here.folder.files[Place.TAKEN, "b.json"] = json.dumps(sale(external_ref="left")).encode()
        here.folder.drop("a.json", json.dumps(sale(external_ref="new")))
        await here.passes(2)
        assert [record.external_ref for record in await invoices(here)] == ["new", "left"]
        assert here.folder.in_place(Place.TAKEN) == []


async def test_a_page_that_cannot_be_drawn_does_not_keep_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, results=("pdf", "xml")) as here:

        def refuse(*_: object) -> bytes:
            raise AgentError("nie można")

        monkeypatch.setattr(type(here.place.ports.renderer), "pdf", refuse)
        assert (await here.take("a.json", json.dumps(sale())))["status"] == "issued"
        assert "a.result.xml" in here.folder.in_place(Place.DONE)


async def test_a_file_that_is_no_epp_gets_its_answer_where_an_epp_is_wanted_back(tmp_path: Path) -> None:
    async with shop(tmp_path, results=("epp",)) as here:
        answer = await here.take("a.epp", b"[INFO]\r\nnothing\r\n")
        assert document(answer)["problem"]["code"] == "epp-malformed"


async def test_a_held_file_waits_and_the_others_go_on(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        here.folder.held.add("a.json")
        here.folder.drop("a.json", json.dumps(sale()))
        await here.take("b.json", json.dumps(sale()))
        assert here.folder.in_place(Place.INBOX) == ["a.json"]
        assert problems(here) == {}
        await here.passes(10, seconds=30.0)
        assert problems(here) == {
            "file:a.json": ("Plik „a.json” w katalogu wymiany czeka: używa go inny program.", False)
        }
        here.folder.held.clear()
        await here.passes(3, seconds=60.0)
        assert here.folder.in_place(Place.INBOX) == []
        assert problems(here) == {}


async def test_of_many_held_files_three_are_told(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        for name in ("d.json", "b.json", "c.json", "a.json"):
            here.folder.held.add(name)
            here.folder.drop(name, json.dumps(sale()))
        await here.passes(11, seconds=30.0)
        assert list(problems(here)) == ["file:a.json", "file:b.json", "file:c.json"]


async def test_a_file_held_after_it_was_issued_is_not_issued_again(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        move = here.folder.move

        async def held(*_: object) -> None:
            from agent.ports import FileHeld

            raise FileHeld("używa go inny program")

        here.folder.move = held  # type: ignore[method-assign, assignment]
        here.folder.drop("a.json", json.dumps(sale()))
        await here.passes(4, seconds=10.0)
        here.folder.move = move  # type: ignore[method-assign]
        await here.passes(4, seconds=60.0)
        assert not here.answer("a.json")["duplicate"]
        assert len(await invoices(here)) == 1
        assert len(here.place.printer.papers) == 1


async def test_a_full_disk_keeps_the_file_and_tells(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        here.folder.full = True
        here.folder.drop("a.json", json.dumps(sale()))
        await here.passes(6)
        assert here.folder.in_place(Place.INBOX) == ["a.json"]
        assert problems(here)["folder"][0] == "Katalog wymiany: brak miejsca na dysku. Pliki czekają."
        here.folder.full = False
        await here.passes(3)
        assert len(await invoices(here)) == 1
        assert here.answer("a.json")["status"] == "issued"


async def test_a_till_that_cannot_issue_now_keeps_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path) as here:

        async def refuse() -> None:
            raise Unavailable("Zegar kasy jest zły.", code="clock-wrong")

        with monkeypatch.context() as patched:
            patched.setattr(here.place.trusted_time, "for_document", refuse)
            here.folder.drop("a.json", json.dumps(sale()))
            await here.passes(6)
            assert here.folder.in_place(Place.TAKEN) == ["a.json"]
            assert problems(here)["folder"] == ("Zegar kasy jest zły. Pliki czekają.", True)
        await here.passes(3)
        assert here.answer("a.json")["status"] == "issued"


async def test_a_defect_leaves_its_file_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path) as here:
        with monkeypatch.context() as patched:
            patched.setattr("agent.services.exchange.intake.parse_object", lambda _: 1 / 0)
            here.folder.drop("a.json", json.dumps(sale()))
            await here.passes(10, seconds=30.0)
            assert problems(here) == {
                "file:a.json": ("Plik „a.json” w katalogu wymiany czeka: błąd programu; wezwij serwis.", False)
            }
            here.folder.drop("a.json", json.dumps(sale(external_ref="later")))
            await here.passes(2)
            assert here.folder.in_place(Place.INBOX) == ["a.json"], "the first one is not pushed out"
        assert here.folder.in_place(Place.TAKEN) == ["a.json"]
        await here.passes(4, seconds=60.0)
        assert len(await invoices(here)) == 2
        assert problems(here) == {}


# --- many, and the counter -----------------------------------------------------------------------------


async def test_a_pass_looks_at_a_bounded_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "FILES_A_PASS", 5)
    async with shop(tmp_path, print=False) as here:
        here.place.gateway.up = False
        for number in range(12):
            here.folder.drop(f"{number:02}.json", json.dumps(sale()))
        await here.passes(2)
        assert len(here.folder.in_place(Place.INBOX)) == 7
        await here.passes(6)
        assert here.folder.in_place(Place.INBOX) == []
        assert len(await invoices(here)) == 12


async def test_stuck_files_do_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "FILES_A_PASS", 2)
    async with shop(tmp_path) as here:
        for name in ("a.json", "b.json", "c.json"):
            here.folder.drop(name, json.dumps(sale()))
        here.folder.held |= {"a.json", "b.json"}
        await here.passes(6)
        assert "c.json" in here.folder.in_place(Place.DONE)


async def test_presses_at_the_counter_go_first(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        here.folder.drop("a.json", json.dumps(sale()))
        await here.passes(1)
        here.place.gateway.pending_answers = 3
        press = asyncio.ensure_future(counter.sale(here.place, json.dumps(sale()).encode(), "counter", CASHIER))
        await asyncio.sleep(0)
        await here.passes(1)
        await press
        records = await invoices(here)
        assert [record.pressed_by for record in reversed(records)] == [CASHIER.name, "folder"]
        assert records[1].issued_at < records[0].issued_at


# --- health ----------------------------------------------------------------------------------------------


async def test_health_tells_of_a_folder_that_is_away_and_keeps_telling_over_a_restart(tmp_path: Path) -> None:
    folder = FakeFolder()
    folder.away = "nie odpowiada"
    async with shop(tmp_path, folder) as here:
        here.place.judge.folder_problems = lambda: here.watch.problems
        await here.place.problems.refresh()
        assert [each for each in here.place.health.report().problems if each.code == "drop-folder"] == []
        await here.passes(3)
        await here.place.problems.refresh()
        (problem,) = [each for each in here.place.health.report().problems if each.code == "drop-folder"]
        assert (problem.severity, problem.message) == ("critical", "Katalog wymiany: nie odpowiada. Pliki czekają.")
    async with shop(tmp_path, folder) as here:
        here.place.judge.folder_problems = lambda: here.watch.problems
        await here.place.problems.refresh()
        assert "drop-folder" in {each.code for each in here.place.health.report().problems}
        folder.away = None
        await here.passes(1)
        await here.place.problems.refresh()
        assert "drop-folder" not in {each.code for each in here.place.health.report().problems}


async def test_an_answer_that_cannot_be_replaced_costs_itself_and_is_written_later(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        await here.place.lose_the_line()
        await here.take("a.json", json.dumps(sale(external_ref="a")))
        await here.take("b.json", json.dumps(sale(external_ref="b")))
        here.folder.held.add("a.result.json")
        await here.place.restore_the_line()
        await here.place.catch_up()
        await here.passes()
        assert document(here.answer("b.json"))["invoice"]["ksef_number"] is not None
        assert document(here.answer("a.json"))["invoice"]["ksef_number"] is None
        here.folder.held.clear()
        await here.passes(seconds=31)
        assert document(here.answer("a.json"))["invoice"]["ksef_number"] is not None
