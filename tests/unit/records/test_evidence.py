"""The hash chain shows every change; the zip is complete, deterministic and checkable by itself."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent.commands.evidence import command
from agent.domain.errors import Refused, Unavailable
from agent.domain.invoice import Mode
from agent.domain.json_io.canonical import Json, canonical, indented
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.timeline import Declaration, DeclarationKind, Declared, Timeline
from agent.domain.records.evidence_files import FACTS, INDEX, LOG, README, SUMS, OutageInvoice
from agent.domain.records.hash_chain import GENESIS, LogLine, chain, verify_chain
from agent.domain.records.outage_reports import LineSeen, outage_reports
from agent.ports import Upo
from agent.services.presses import Presses
from agent.services.records import evidence, evidence_invoices
from agent.services.records.evidence import Evidence
from agent.store import evidence_reader
from agent.store.evidence_index import SqliteEvidenceIndex
from tests.fakes.clock import FakeClock
from tests.fakes.evidence_bundle import FilesInMemory, unzipped, verify_zip_files
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import CONSUMER, MANAGER, SELLER, World, world
from tests.sim.announcing import facts, message
from tests.sim.oracle import Outage

T0 = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

# --- the chain --------------------------------------------------------------------------------------


def log(count: int = 5) -> list[LogLine]:
    lines: list[LogLine] = []
    previous = GENESIS
    for seq in range(1, count + 1):
        data: dict[str, Json] = {"number": f"FV/{seq}", "zł": 1.5}
        at = (T0 + timedelta(seconds=seq)).isoformat()
        previous = chain(previous, at, "issued", f"id-{seq}", canonical(data))
        lines.append(LogLine(seq, at, "issued", f"id-{seq}", data, previous))
    return lines


def test_chain_is_what_the_readme_tells() -> None:
    """The recipe of CZYTAJ.txt, written out by hand."""
    text = '["' + GENESIS + '","2026-11-24T09:00:00+00:00","issued",null,"{\\"a\\":\\"ż\\",\\"b\\":[1]}"]'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert chain(GENESIS, "2026-11-24T09:00:00+00:00", "issued", None, canonical({"b": [1], "a": "ż"})) == expected


def test_an_untouched_log_has_no_problem() -> None:
    assert verify_chain(log()) == []
    assert verify_chain(log()[2:], log()[1].chain) == []
    assert verify_chain([]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda line: replace(line, data={**line.data, "number": "FV/9"}),
        lambda line: replace(line, data={}),
        lambda line: replace(line, at="2026-11-24T09:00:09+00:00"),
        lambda line: replace(line, kind="sent"),
        lambda line: replace(line, invoice_id=None),
        lambda line: replace(line, chain="0" * 64),
    ],
)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_every_change_shows(change: Callable[[LogLine], LogLine], place: int) -> None:
    lines = log()
    lines[place] = change(lines[place])
    assert verify_chain(lines)


@pytest.mark.parametrize("place", [0, 2])
def test_a_missing_line_shows(place: int) -> None:
    lines = log()
    del lines[place]
    assert verify_chain(lines)


def test_a_gap_is_named_by_the_numbers_beside_it() -> None:
    """Also where the chain was made anew around it."""
    lines = log()
    renumbered = replace(lines[2], seq=9)
    gap, *_ = verify_chain([*lines[:2], renumbered])
    assert gap == "Po zdarzeniu 2 następuje 9: brakuje zdarzeń lub są przestawione."


def test_swapped_lines_show() -> None:
    lines = log()
    lines[1], lines[2] = lines[2], lines[1]
    assert len(verify_chain(lines)) >= 2


def test_a_line_put_in_shows() -> None:
    lines = log()
    assert verify_chain([*lines[:2], lines[1], *lines[2:]])


TEXTS = st.text(max_size=5)


@given(st.tuples(TEXTS, TEXTS, st.none() | TEXTS, TEXTS), st.tuples(TEXTS, TEXTS, st.none() | TEXTS, TEXTS))
def test_fields_never_run_into_each_other(
    one: tuple[str, str, str | None, str], other: tuple[str, str, str | None, str]
) -> None:
    assert (chain(GENESIS, *one) == chain(GENESIS, *other)) == (one == other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_canonical_text_is_stable(data: Json) -> None:
    text = canonical(data)
    assert canonical(json.loads(text)) == text


@given(JSON)
def test_text_for_people_is_that_of_the_standard_library(data: Json) -> None:
    assert indented(data) == json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)


def test_canonical_refuses_what_json_has_not() -> None:
    for write in (canonical, indented):
        with pytest.raises(ValueError, match="float"):
            write(float("nan"))
    assert canonical("\ud800") == '"?"'


# --- the zip ----------------------------------------------------------------------------------------

UPO_XML = (
    '<Potwierdzenie xmlns="http://upo.schematy.mf.gov.pl/KSeF/v4-3"><Dokument>'
    "<NumerKSeFDokumentu>{number}</NumerKSeFDokumentu><SkrotDokumentu>{sha256}</SkrotDokumentu>"
    "</Dokument></Potwierdzenie>"
)


class UpoGateway(FakeGateway):
    """Gives a UPO as KSeF does; ``forged`` gives one of another file."""

    forged = False

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        upo = await super().upo(session_ref, invoice_ref, ksef_number)
        sha256 = base64.b64encode(bytes(32) if self.forged else upo.sha256).decode()
        number = "5265877635-20261124-000000000000-00" if self.forged else ksef_number
        return replace(upo, xml=UPO_XML.format(number=number, sha256=sha256).encode())


@asynccontextmanager
async def till_of(tmp_path: Path, *, forged: bool = False) -> AsyncIterator[World]:
    clock = FakeClock(T0)
    gateway = UpoGateway(clock)
    gateway.forged = forged
    async with world(tmp_path, clock=clock, gateway=gateway) as till:
        yield till


async def a_day(till: World) -> None:
    """Sell online, while the line is down, by a manager's word, and let KSeF have it all."""
    await till.announcements.poll()
    await till.sell()
    await till.clock.advance(60)
    till.gateway.up = False
    await till.connection.probe()
    await till.connection.probe()
    await till.sell(buyer=CONSUMER)
    await till.clock.advance(600)
    till.gateway.up = True
    await till.catch_up()
    await till.clock.advance(60)
    await till.declarations.declare(Mode.OFFLINE24, "Remont łącza", MANAGER)
    await till.sell()
    await till.declarations.withdraw("Po remoncie", MANAGER)
    await till.catch_up()
    await till.clock.advance(60)
    await till.sell()
    await till.catch_up()


async def bundle(till: World, first: str = "2026-11-24", last: str = "2026-11-24") -> dict[str, bytes]:
    made = Evidence(till.store, SqliteEvidenceIndex, Presses(till.clock), SELLER.nip, till.ports.renderer.text)
    period = date.fromisoformat(first), date.fromisoformat(last)
    with await made.bundle(*period) as file, await made.bundle(*period) as again:
        data = file.read()
        assert data == again.read()
    return unzipped(io.BytesIO(data))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The zip of one day; tests only read it."""

    async def made() -> dict[str, bytes]:
        async with till_of(tmp_path_factory.mktemp("till")) as till:
            await a_day(till)
            return await bundle(till)

    return asyncio.run(made())


def test_a_day_is_complete_and_in_order(files: dict[str, bytes]) -> None:
    assert verify_zip_files(files) == []
    folders = {path.split("/")[1] for path in files if path.startswith("faktury/")}
    assert len(folders) == 4
    for folder in folders:
        for name in ("dane.json", "faktura-1.xml", "zdarzenia.json", "upo.xml", "wydruk-1.bin", "wydruk-1.txt"):
            assert f"faktury/{folder}/{name}" in files
    assert "UTC" in files[README].decode()
    first = files[LOG].splitlines()[0]
    assert json.loads(files[INDEX])["chain"]["first_seq"] == json.loads(first)["seq"]


async def test_the_zip_is_the_same_however_much_is_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with till_of(tmp_path) as till:
        await a_day(till)
        whole = await bundle(till)
        monkeypatch.setattr(evidence_invoices, "PAGE", 1)
        monkeypatch.setattr(evidence, "LOG_PAGE", 3)
        assert await bundle(till) == whole
    assert verify_zip_files(whole) == []


@pytest.mark.parametrize("page", [1, 2, 20])
async def test_a_bundle_that_is_written_while_the_shop_sells_is_one_moment_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Numbers, UPO and papers that come while it is written made each such bundle look forged."""
    monkeypatch.setattr(evidence_invoices, "PAGE", page)
    monkeypatch.setattr(evidence_invoices, "EVENTS", 7)
    async with till_of(tmp_path) as till:
        await a_day(till)
        till.gateway.up = False
        await till.connection.probe()
        await till.connection.probe()
        for _ in range(3):
            await till.sell()
        made = Evidence(till.store, SqliteEvidenceIndex, Presses(till.clock), SELLER.nip, till.ports.renderer.text)
        meanwhile = iter(["sold", "sent", "sold", "sent", "sold"])

        async def busy() -> None:
            till.gateway.up = True
            work = next(meanwhile, "")
            if work == "sold":
                await till.sell()
            elif work == "sent":
                await till.catch_up()

        monkeypatch.setattr(made._presses, "pass_by", busy)
        with await made.bundle(date(2026, 11, 24), date(2026, 11, 24)) as file:
            files = unzipped(file)
        assert next(meanwhile, None) is None or page == 20
    assert verify_zip_files(files) == []
    assert json.loads(files[INDEX])["files"].keys() == files.keys() - {INDEX, SUMS}


def test_the_index_is_plain_json_of_one_form(files: dict[str, bytes]) -> None:
    """Written a file at a time, it is what is written at once."""
    written = json.dumps(json.loads(files[INDEX]), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    assert files[INDEX].decode() == written
    assert json.loads(files[INDEX])["files"].keys() == files.keys() - {INDEX, SUMS}


async def test_a_line_that_every_press_tells_of_is_kept_once(tmp_path: Path) -> None:
    stretch = evidence._Stretch()
    async with till_of(tmp_path) as till:
        for _ in range(5):
            await till.sell()
        log = [evidence_invoices.log_line(event) for event in await till.store.read(lambda tx: tx.events.after(0))]
    assert len(evidence.line_seen(log)) == 5
    for line in log:
        stretch.add([line])
    assert len(stretch.line) == 1
    assert (stretch.first_seq, stretch.last_seq, stretch.head) == (1, log[-1].seq, log[-1].chain)


def test_sums_are_those_of_sha256sum(files: dict[str, bytes]) -> None:
    for line in files[SUMS].decode().splitlines():
        value, path = line.split("  ", 1)
        assert hashlib.sha256(files[path]).hexdigest() == value
    assert len(files[SUMS].splitlines()) == len(files) - 1


def test_outages_of_the_day(files: dict[str, bytes]) -> None:
    reports = {path: json.loads(files[path]) for path in files if path.startswith("przerwy/") and path.endswith("json")}
    kinds = {report["kind"]: report for report in reports.values()}
    assert sorted(kinds) == ["lacze", "offline24"]
    assert kinds["lacze"]["end"] is not None
    assert [invoice["mode"] for invoice in kinds["lacze"]["invoices"]] == ["offline24"]
    assert kinds["lacze"]["invoices"][0]["accepted_at"] > kinds["lacze"]["invoices"][0]["issued_at"]
    assert "Remont łącza" in kinds["offline24"]["basis"]
    assert any("Brak łączności sklepu z KSeF" in files[path].decode() for path in files if path.endswith("txt"))


def test_every_changed_file_shows(files: dict[str, bytes]) -> None:
    for path, content in files.items():
        assert verify_zip_files({**files, path: content[:-1] + bytes([content[-1] ^ 1])}), path
        assert verify_zip_files({other: files[other] for other in files if other != path}), path
    assert verify_zip_files({**files, "faktury/x.txt": b""})


def resummed(files: dict[str, bytes]) -> dict[str, bytes]:
    """What a clever forger does: index and sums are made to fit again."""
    index = json.loads(files[INDEX])
    index["files"] = {
        path: hashlib.sha256(content).hexdigest() for path, content in files.items() if path not in (INDEX, SUMS)
    }
    files = {**files, INDEX: json.dumps(index).encode()}
    sums = {**index["files"], INDEX: hashlib.sha256(files[INDEX]).hexdigest()}
    files[SUMS] = "".join(f"{value}  {path}\n" for path, value in sorted(sums.items())).encode()
    return files


def an_invoice(files: Mapping[str, bytes]) -> str:
    """The folder of one that came by a line that was down."""
    name = next(each for each in files if each.endswith("dane.json") and b'"mode": "offline24"' in files[each])
    return name.rsplit("/", 1)[0]


def test_an_invoice_that_the_log_knows_cannot_be_left_out(files: dict[str, bytes]) -> None:
    folder = an_invoice(files)
    number = json.loads(files[f"{folder}/dane.json"])["number"]
    left = {path: content for path, content in files.items() if not path.startswith(f"{folder}/")}
    assert verify_zip_files(resummed(left)) == [f"Brak faktury {number}, którą zna dziennik."]


def test_an_invoice_is_there_once(files: dict[str, bytes]) -> None:
    folder = an_invoice(files)
    twice = {path.replace(folder, f"{folder}x"): content for path, content in files.items() if folder in path}
    (problem,) = verify_zip_files(resummed({**files, **twice}))
    assert problem == f"{folder}x: ta sama faktura jest też w {folder}."


@pytest.mark.parametrize("bounds", [("2026-11-25", "2026-11-30"), ("2026-11-20", "2026-11-23"), ("x", "y"), (None, 7)])
def test_the_days_are_those_of_the_invoices(files: dict[str, bytes], bounds: tuple[Json, Json]) -> None:
    index = {**json.loads(files[INDEX]), "from": bounds[0], "to": bounds[1]}
    assert verify_zip_files(resummed({**files, INDEX: json.dumps(index).encode()}))


def test_the_seller_is_that_of_the_invoices(files: dict[str, bytes]) -> None:
    index = {**json.loads(files[INDEX]), "seller_nip": "9990000008"}
    problems = verify_zip_files(resummed({**files, INDEX: json.dumps(index).encode()}))
    assert len(problems) == 4
    assert problems[0].endswith("sprzedawca w dane.json jest inny niż w spis.json.")


@pytest.mark.parametrize("name", [FACTS, README])
def test_what_every_bundle_has_cannot_be_left_out(files: dict[str, bytes], name: str) -> None:
    left = {path: content for path, content in files.items() if path != name}
    assert verify_zip_files(resummed(left)) == [f"Brak pliku {name}."]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("upo.xml", "brak UPO, które podaje dane.json"),
        ("wydruk-1.bin", "brak wydruku, który podaje dane.json (wydruk-1.bin)"),
        ("wydruk-1.txt", "brak wydruku, który podaje dane.json (wydruk-1.txt)"),
    ],
)
def test_a_file_that_its_invoice_names_cannot_be_left_out(files: dict[str, bytes], name: str, sentence: str) -> None:
    path = f"{an_invoice(files)}/{name}"
    (problem,) = verify_zip_files(resummed({each: files[each] for each in files if each != path}))
    assert sentence in problem


def test_a_upo_is_the_one_that_the_log_tells_of(files: dict[str, bytes]) -> None:
    path = f"{an_invoice(files)}/upo.xml"
    (problem,) = verify_zip_files(resummed({**files, path: files[path] + b" "}))
    assert problem.endswith("upo.xml: dziennik zna inne UPO.")


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("state", "rejected", "dziennik nie zna stanu tej faktury (rejected)"),
        ("state", "issued", "dziennik nie zna stanu tej faktury (issued)"),
        ("seller_nip", "9990000008", "sprzedawca w dane.json jest inny niż w spis.json"),
        ("versions", ["x"], "dane.json nie wymienia pliku faktury"),
        ("link_invoice", lambda link: link + "x", "adres KOD I nie zawiera skrótu faktury"),
        ("link_certificate", lambda link: link.replace("/", ""), "adres KOD II nie zawiera skrótu faktury"),
        ("papers", [], "dziennik zna więcej wydruków niż dane.json"),
        ("papers", "none", "dziennik zna więcej wydruków niż dane.json"),
    ],
)
def test_what_only_a_second_look_tells_shows(files: dict[str, bytes], place: str, value: Any, sentence: str) -> None:
    name = f"{an_invoice(files)}/dane.json"
    data = json.loads(files[name])
    forged = {**data, place: value(data[place]) if callable(value) else value}
    (problem,) = verify_zip_files(resummed({**files, name: json.dumps(forged).encode()}))
    assert sentence in problem


@pytest.mark.parametrize("name", ["faktura-1.xml", "dane.json", "zdarzenia.json"])
def test_a_forged_invoice_shows_although_the_sums_fit(files: dict[str, bytes], name: str) -> None:
    assert verify_zip_files(resummed(files)) == []
    path = next(path for path in files if path.endswith(name))
    forged = {
        "faktura-1.xml": lambda text: text.replace(b"Kawa", b"Ryba"),
        "dane.json": lambda text: text.replace(b'"ksef_number": "', b'"ksef_number": "9'),
        "zdarzenia.json": lambda text: text.replace(b"issued", b"Issued"),
    }[name](files[path])
    assert forged != files[path]
    assert verify_zip_files(resummed({**files, path: forged}))


@pytest.mark.parametrize(
    ("place", "path", "value", "sentence"),
    [
        ("mode", "dane.json", "online", "tryb w dane.json różni się od dziennika"),
        ("reason", "dane.json", "inna", "przyczyna trybu w dane.json różni się od dziennika"),
        ("deadline", "dane.json", "2026-12-24", "termin w dane.json różni się od dziennika"),
        ("pressed_by", "dane.json", "nikt", "osoba wystawiająca w dane.json różni się od dziennika"),
        ("accepted_at", "dane.json", "2026-11-24T09:00:00+00:00", "chwila przyjęcia przez KSeF"),
        ("state", "dane.json", "exempt", "dziennik nie zna stanu tej faktury (exempt)"),
    ],
)
def test_what_the_log_tells_otherwise_shows(
    files: dict[str, bytes], place: str, path: str, value: str, sentence: str
) -> None:
    name = next(each for each in files if each.endswith(path) and b'"mode": "offline24"' in files[each])
    forged = json.dumps({**json.loads(files[name]), place: value}).encode()
    (problem,) = verify_zip_files(resummed({**files, name: forged}))
    assert sentence in problem


def test_a_number_of_ksef_that_the_log_does_not_know_shows(files: dict[str, bytes]) -> None:
    name = next(each for each in files if each.endswith("dane.json") and b'"mode": "offline24"' in files[each])
    forged = json.dumps({**json.loads(files[name]), "ksef_number": "5265877635-20261124-0100A0AE0E14-06"}).encode()
    problems = verify_zip_files(resummed({**files, name: forged}))
    assert f"{name.rsplit('/', 1)[0]}: dziennik nie zna numeru KSeF tej faktury." in problems


def test_a_forged_paper_shows_although_the_sums_fit(files: dict[str, bytes]) -> None:
    name = next(each for each in files if each.endswith("wydruk-1.bin"))
    (problem,) = verify_zip_files(resummed({**files, name: files[name] + b"!"}))
    assert problem.endswith("wydruk-1.bin: dziennik zna inny wydruk.")
    folder = name.rsplit("/", 1)[0]
    data = json.loads(files[f"{folder}/dane.json"])
    data["papers"][0]["label"] = "Faktura"
    (problem,) = verify_zip_files(resummed({**files, f"{folder}/dane.json": json.dumps(data).encode()}))
    assert "dziennik nie zna wydruku" in problem


def test_a_forged_log_shows_although_the_sums_fit(files: dict[str, bytes]) -> None:
    lines = files[LOG].splitlines(keepends=True)
    changed = files[LOG].replace(b"FV-1", b"FV-2", 1)
    for forged in (changed, b"".join(lines[:-1]), b"".join(lines[1:]), b"", b"nonsense\n", b"[]\n"):
        assert verify_zip_files(resummed({**files, LOG: forged}))


def test_the_log_is_read_line_by_line_and_once_where_nothing_differs(files: dict[str, bytes]) -> None:
    def reads(content: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
        held = FilesInMemory(content)
        return verify_zip_files(held), held.reads

    problems, read = reads(files)
    assert problems == []
    assert sorted(read) == sorted([*files, *(path for path in files if path.startswith("upo-sesji/")), INDEX])
    name = next(each for each in files if each.endswith("zdarzenia.json"))
    events = json.loads(files[name])
    noted = [{**events[0], "note": 1}, *events[1:]]
    lies: tuple[Json, ...] = (noted, events[1:], [*events, events[-1]], events[::-1], {}, [7])
    for forged in lies:
        (problem,), read = reads(resummed({**files, name: json.dumps(forged).encode()}))
        assert "zdarzenia.json różni się od dziennika" in problem
        assert read.count(LOG) == 2
    cut = {**files, LOG: files[LOG].rstrip(b"\n")}
    assert verify_zip_files(cut) == [f"Plik {LOG} zmieniono: skrót SHA-256 się nie zgadza."]


def test_a_bundle_whose_log_is_larger_than_any_other_file_may_be_is_checked(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "evidence.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    largest = max(len(content) for name, content in files.items() if name != LOG)
    assert len(files[LOG]) > largest
    monkeypatch.setattr(evidence_reader, "MAX_FILE_BYTES", largest)
    result = CliRunner().invoke(command, ["verify", str(path)])
    assert (result.exit_code, result.output) == (0, f"Dowody są kompletne i niezmienione, plików: {len(files)}.\n")
    monkeypatch.setattr(evidence_reader, "MAX_FILE_BYTES", largest - 1)
    with pytest.raises(Refused, match="nie jest poprawnym plikiem zip"):
        CliRunner().invoke(command, ["verify", str(path)], catch_exceptions=False)


def test_a_list_of_files_without_end_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100):
            archive.writestr(f"faktury/{number}/dane.json", b"")
    entry = 46 + len("faktury/10/dane.json")
    monkeypatch.setattr(evidence_reader, "MAX_DIRECTORY_BYTES", 100 * entry - 11)
    with pytest.raises(Refused, match="nie jest poprawnym plikiem zip"):
        CliRunner().invoke(command, ["verify", str(path)], catch_exceptions=False)
    monkeypatch.setattr(evidence_reader, "MAX_DIRECTORY_BYTES", 100 * entry - 10)  # ten of one digit
    assert CliRunner().invoke(command, ["verify", str(path)]).exit_code == 1


async def test_a_foreign_upo_shows(tmp_path: Path) -> None:
    async with till_of(tmp_path, forged=True) as till:
        await till.sell()
        problems = verify_zip_files(await bundle(till))
    assert [problem.split(": ")[1] for problem in problems] == [
        "UPO podaje inny skrót faktury.",
        "UPO podaje inny numer KSeF.",
    ]


async def test_a_period_without_invoices(tmp_path: Path) -> None:
    async with till_of(tmp_path) as till:
        await a_day(till)
        files = await bundle(till, "2026-12-01", "2026-12-31")
    assert verify_zip_files(files) == []
    assert not [path for path in files if path.startswith("faktury/")]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "other/1"}', b"\xff"])
def test_a_damaged_index_is_told(content: bytes) -> None:
    assert verify_zip_files({INDEX: content})
    assert verify_zip_files({})


@given(st.data())
def test_any_damage_is_told_and_never_breaks_the_checker(files: dict[str, bytes], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(files)))
    begin = data.draw(st.integers(0, len(files[path]) - 1))
    junk = data.draw(st.sampled_from([b"", b"NaN", b"null", b"[", b'{"a":', b"\xff", b"0", b"true", b'"x"']))
    end = data.draw(st.integers(begin, min(len(files[path]), begin + 40)))
    damaged = files[path][:begin] + junk + files[path][end:]
    if damaged != files[path]:
        assert verify_zip_files({**files, path: damaged})
        if path.endswith(("json", "jsonl")):
            verify_zip_files(resummed({**files, path: damaged}) if path != INDEX else {**files, path: damaged})


@pytest.mark.parametrize("line", [b"NaN", b'{"seq": 1}', b"[" * 100_000, b'{"data": {"a": NaN}, "invoice_id": null}'])
def test_a_strange_line_of_the_log_is_told(files: dict[str, bytes], line: bytes) -> None:
    assert verify_zip_files(resummed({**files, LOG: files[LOG] + line + b"\n"}))


@pytest.mark.parametrize("place", ["before", "behind", "in a folder"])
def test_nothing_lies_beside_the_files(files: dict[str, bytes], tmp_path: Path, place: str) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("faktury/", b"")  # what tools add to a zip that is packed anew
        if place == "in a folder":
            archive.writestr("katalog/", b"hidden")
    whole = path.read_bytes()
    path.write_bytes({"before": b"hidden" + whole, "behind": whole + b"hidden"}.get(place, whole))
    with pytest.raises(Refused, match="nie jest poprawnym plikiem zip"):
        CliRunner().invoke(command, ["verify", str(path)], catch_exceptions=False)


def test_a_damaged_zip_is_one_sentence(files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    whole = path.read_bytes()
    for place in range(40, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        result = CliRunner().invoke(command, ["verify", str(path)])
        assert result.exit_code in (0, 1)
        assert result.exception is None or isinstance(result.exception, Refused | SystemExit), (place, result.exception)


# --- the command ------------------------------------------------------------------------------------


def test_verify_command(files: dict[str, bytes], tmp_path: Path) -> None:
    def packed(name: str, content: dict[str, bytes]) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for each, data in content.items():
                archive.writestr(each, data)
        return path

    good = CliRunner().invoke(command, ["verify", str(packed("good.zip", files))])
    assert (good.exit_code, good.stdout) == (0, f"Dowody są kompletne i niezmienione, plików: {len(files)}.\n")
    cut = CliRunner().invoke(command, ["verify", str(packed("cut.zip", {**files, LOG: files[LOG][:-2]}))])
    assert f"Plik {LOG} zmieniono" in cut.stdout
    changed = packed("bad.zip", {**files, README: b"x"})
    bad = CliRunner().invoke(command, ["verify", str(changed), "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["problems"][0] == f"Plik {README} zmieniono: skrót SHA-256 się nie zgadza."
    (tmp_path / "no.zip").write_bytes(b"no zip")
    assert CliRunner().invoke(command, ["verify", str(tmp_path / "no.zip")]).exit_code == 1


CONFIG = """
data_dir = "{data_dir}"
[seller]
nip = "5265877635"
name = "Sklep Testowy sp. z o.o."
[seller.address]
line1 = "ul. Próbna 1"
"""


def test_export_command(tmp_path: Path) -> None:
    async def made() -> None:
        async with till_of(tmp_path) as till:
            await till.sell()

    asyncio.run(made())
    config, out = tmp_path / "config.toml", tmp_path / "dowody.zip"
    config.write_text(CONFIG.format(data_dir=tmp_path), encoding="utf-8")
    period = ["--config", str(config), "--from", "2026-11-24", "--to", "2026-11-24"]
    result = CliRunner().invoke(command, [*period, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(command, ["verify", str(out)]).exit_code == 0
    nowhere = CliRunner().invoke(command, [*period, "--out", str(tmp_path / "no" / "such" / "folder.zip")])
    assert isinstance(nowhere.exception, Refused)
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize(
    "arguments",
    [[], ["--from", "2026-11-24"], ["--from", "x", "--to", "y", "--out", "z"], ["verify", "missing.zip"]],
)
def test_wrong_use(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2


# --- outages ----------------------------------------------------------------------------------------


def sold(number: str, at: datetime) -> OutageInvoice:
    return OutageInvoice(number, "failure", at, "2026-12-18", "accepted", "x", at + timedelta(days=1))


def test_reports_of_every_kind() -> None:
    begin, end = T0 + timedelta(hours=1), T0 + timedelta(hours=3)
    outages = [Outage(kind, begin, begin, end) for kind in ("failure", "maintenance", "total")]
    words = ["FAILURE_START", "MAINTENANCE_ANNOUNCEMENT", "FAILURE_START"]
    heard = [
        fact
        for number, (outage, word) in enumerate(zip(outages, words, strict=True), 1)
        for fact in facts([message(outage, number, kind=word, published=begin)], begin)
    ]
    declared = Declared(Declaration(DeclarationKind.OFFLINE24_DECLARED, "Burza", "Anna", begin))
    line = [
        LineSeen(T0 + timedelta(hours=2), LinkState.OPEN, begin),
        LineSeen(T0 + timedelta(hours=2.5), LinkState.HALF_OPEN, T0 + timedelta(hours=2.4)),
        LineSeen(T0 + timedelta(hours=4), LinkState.CLOSED, end),
    ]
    invoices = [sold("1", T0), sold("2", begin), sold("3", end), sold("4", T0 + timedelta(hours=4))]
    reports = list(outage_reports(Timeline.of([*heard, declared]), lambda: invoices, line, T0, T0 + timedelta(days=1)))
    inside = {report.kind: [invoice.number for invoice in report.invoices] for report in reports}
    assert inside == {
        "awaria": ["2", "3"],
        "awaria-calkowita": ["2", "3"],
        "niedostepnosc": ["2", "3"],
        "lacze": ["2", "3"],
        "offline24": ["2", "3", "4"],
    }
    assert {report.kind: report.end for report in reports}["lacze"] == end
    bases = {report.kind: report.basis for report in reports}
    assert bases["awaria"] == "komunikat K/2026/FAI/01/START; ogłoszono 24.11.2026 11:00:00"
    assert not list(
        outage_reports(Timeline.of(heard), lambda: invoices, [], T0 - timedelta(days=9), T0 - timedelta(days=8))
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
async def test_only_a_full_disk_is_told_as_one_and_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async with till_of(tmp_path) as till:
        await till.sell()
        made = Evidence(till.store, SqliteEvidenceIndex, Presses(till.clock), SELLER.nip, folder=tmp_path)
        begun: list[Any] = []

        async def broken(first: date, last: date, file: Any) -> int:
            begun.append(file)
            raise OSError(number, "broken")

        monkeypatch.setattr(made, "write", broken)
        with pytest.raises(OSError if number == errno.EIO else Unavailable) as refused:
            await made.bundle(date(2026, 11, 24), date(2026, 11, 24))
        assert getattr(refused.value, "code", "") == ("" if number == errno.EIO else "disk-full")
        assert begun[0].closed
