"""docs/commands.md: every command ends with the codes it documents."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import click
import pytest

from agent.commands import ending
from agent.hub.domain.records import InvoiceFacts, OutcomeKind
from agent.hub.domain.states import HubState
from agent.hub.ports import HubTransaction
from agent.ports import Outcome, Rejected
from agent.store.lock import DataLock
from tests.fakes.clock import FakeClock
from tests.fakes.command_line import Run, subcommands
from tests.fakes.hub_stores import offer, sqlite_hub
from tests.fakes.shop import Shop
from tests.fakes.world import BUYER_NIP, sale

ROOT = Path(__file__).parents[3]
COMMANDS = {
    " ".join(words): each
    for words, each in subcommands().items()
    if not isinstance(each, click.Group) or each.invoke_without_command
}
WITHOUT_SETTINGS = {"demo", "sandbox", "deadline", "evidence verify", "hub demo", "hub tls"}
NEEDED = {
    "issue": ("FILE",),
    "mode declare": ("offline24", "--reason", "x"),
    "mode withdraw": ("--reason", "x"),
    "clock confirm": ("2026-11-24",),
    "register": ("--month", "2026-11"),
    "evidence": ("--from", "2026-11-01", "--to", "2026-11-30", "--out", "OUT"),
    "reprint": ("FV/1",),
    "rejected technical": ("FV/1",),
    "rejected resend": ("FV/1",),
    "rejected close": ("FV/1", "--reason", "x"),
    "token add": ("kasa",),
    "token revoke": ("kasa",),
    "token pin": ("kasa",),
    "backup": ("OUT",),
    "restore": ("FILE",),
    "correct": ("FV/1", "--full-return"),
    "outbox replay": ("--from", "1"),
    "hub seller add": (BUYER_NIP,),
    "hub seller remove": (BUYER_NIP,),
    "hub till add": ("kasa",),
    "hub till import": ("FILE",),
    "hub till revoke": ("kasa",),
    "hub till token": ("kasa",),
    "hub till adopt": ("kasa",),
    "hub till settle": ("FV-1/1", "--why", "x"),
    "hub token add": ("Anna",),
    "hub token revoke": ("Anna",),
    "hub certificate withdraw": ("01F20A5D352AE590",),
    "hub backup": ("OUT",),
}
"""What a command cannot go without, so that it comes to its settings."""


def documented() -> dict[str, tuple[str, str]]:
    """The table of docs/commands.md: command -> what 0 and what 1 mean."""
    found = {}
    for names, done, refused in re.findall(
        r"^\| (`[^|]*`) \| ([^|]*) \| ([^|]*) \|$", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE
    ):
        for name in re.findall("`([^`]+)`", names):
            found[name] = done, refused
    return found


def test_the_table_has_every_command() -> None:
    assert set(documented()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_use_is_2(run: Run, name: str) -> None:
    assert run(*name.split(), "--no-such-option").code == 2


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - WITHOUT_SETTINGS))
def test_wrong_settings_are_3(run: Run, tmp_path: Path, name: str) -> None:
    settings, given = tmp_path / "config.toml", tmp_path / "sale.json"
    settings.write_text("[selller]\n")
    given.write_text("{}")
    places = {"FILE": str(given), "OUT": str(tmp_path / "out")}
    needed = [places.get(each, each) for each in NEEDED.get(name, ())]
    ran = run(*name.split(), *needed, "--config", str(settings))
    assert ran.code == ending.WRONG_SETTINGS, ran
    assert "sell" in ran.error + ran.out
    assert sorted(tmp_path.iterdir()) == [settings, given]


# --- 0 and 1, each command once ---------------------------------------------------------------------------


class Bench:
    """A till of its own that reaches nobody, an agent that runs, a hub; whatever a command has to stand on."""

    def __init__(self, run: Run, config: Path, open_shop: Callable[[], Shop]) -> None:
        self._run, self.config, self._open_shop = run, config, open_shop
        self.folder = config.parent
        (self.folder / "hub.toml").write_text(
            f'[hub]\ndata_dir = "{self.folder}/hub"\nhost = "127.0.0.1"\nport = {_port_of(config)}\n'
            '[ksef]\nurl = "http://127.0.0.1:9/v2"\nlatarnia_url = "http://127.0.0.1:9"\n',
            "utf-8",
        )

    @cached_property
    def shop(self) -> Shop:
        """The agent that runs, from the first look at it on: most commands need none."""
        return self._open_shop()

    def file(self, content: object, name: str = "given.json") -> str:
        """Write a file; its path."""
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return str(path)

    def alone(self, *words: str) -> int:
        """The code of a command on the till where no agent runs."""
        return self._run(*words, "--config", str(self.config)).code

    def plain(self, *words: str) -> int:
        return self._run(*words).code

    def running(self, *words: str) -> int:
        """The code of a command beside the agent that runs."""
        return self._run(*words, "--config", str(self.shop.config)).code

    def hub(self, *words: str) -> int:
        return self._run("hub", *words, "--config", str(self.folder / "hub.toml")).code

    def locked(self, *words: str) -> int:
        """The code of a command where another program has the data, and answers nobody."""
        (self.folder / "data").mkdir(exist_ok=True)
        lock = DataLock(self.folder / "data" / "agent.db")
        lock.take()
        try:
            return self.alone(*words)
        finally:
            lock.release()

    def sold(self) -> str:
        """Issue an invoice on the till alone; its number."""
        ran = self._run("issue", self.file(sale(), "sold.json"), "--json", "--config", str(self.config))
        return str(json.loads(ran.out)["number"])

    def out(self, name: str) -> str:
        return str(self.folder / name)


def _port_of(config: Path) -> str:
    return str(re.search(r"port = (\d+)", config.read_text("utf-8"))[1])  # type: ignore[index]


def _rejected_online(bench: Bench) -> int:
    bench.shop.place.gateway.verdict_plan.append(Rejected(450, "błąd semantyczny"))
    return bench.running("issue", bench.file(sale()))


def _resent(bench: Bench) -> int:
    return bench.running("rejected", "resend", bench.shop.rejected(410))


def _evidence(bench: Bench, *, damaged: bool = False) -> int:
    bench.sold()
    made = bench.alone("evidence", "--from", "2026-01-01", "--to", "2099-12-31", "--out", bench.out("e"))
    if damaged:
        (bench.folder / "e").write_bytes((bench.folder / "e").read_bytes()[:100])
    return made


def _restored(bench: Bench) -> int:
    bench.sold()
    assert bench.alone("backup", bench.out("copy.db")) == 0
    return bench.alone("restore", bench.out("copy.db"), "--yes")


def _hub_status(bench: Bench, port: str) -> int:
    text = (bench.folder / "hub.toml").read_text("utf-8")
    bench.file(re.sub(r"\nport = \d+", f"\nport = {port}", text), "hub.toml")
    return bench.hub("status")


def _seller(bench: Bench) -> tuple[str, ...]:
    return ("seller", "add", BUYER_NIP, "--token-file", bench.out("ksef.token"))


def _chain(bench: Bench, *words: str) -> int:
    assert bench.hub(*_seller(bench)) == 0
    assert bench.hub("till", "add", "kasa 1") == 0
    return bench.hub(*words)


def _settled(bench: Bench) -> int:
    """Settle what KSeF refused of a till that never read it."""

    async def work(tx: HubTransaction) -> None:
        (till,) = await tx.parties.tills()
        given = offer("FV-1/1", nip=BUYER_NIP)
        await tx.invoices.add(till, given)
        for state in (HubState.SENDING, HubState.REJECTED):
            await tx.invoices.move(given.sha256, state, InvoiceFacts())
        await tx.outcomes.add([(await tx.invoices.get(given.sha256), OutcomeKind.REJECTED, {})])

    async def refuse() -> None:
        async with sqlite_hub(bench.folder / "hub", FakeClock()) as store:
            await store.write(work)

    assert _chain(bench, "till", "list") == 0
    asyncio.run(refuse())
    return bench.hub("till", "settle", "FV-1/1", "--why", "x")


def _twice(code: Callable[..., int], *words: str) -> int:
    assert code(*words) == 0
    return code(*words)


def _person(bench: Bench, *words: str) -> int:
    assert bench.hub("token", "add", "Anna") == 0
    return bench.hub(*words)


QUESTION = ("--mode", "offline24", "--issued", "2026-11-20")
DONE: dict[str, Callable[[Bench], int]] = {
    "check": lambda bench: bench.plain("check", "--explain", "--config", str(bench.config)),
    "hub check": lambda bench: bench.hub("check", "--offline"),
    "issue": lambda bench: bench.alone("issue", bench.file(sale())),
    "correct": lambda bench: bench.alone("correct", bench.sold(), "--full-return"),
    "status": lambda bench: bench.running("status"),
    "hub status": lambda bench: _hub_status(bench, _port_of(bench.shop.config)),
    "queue": lambda bench: bench.alone("queue"),
    "outbox status": lambda bench: bench.alone("outbox", "status"),
    "mode show": lambda bench: bench.alone("mode", "show"),
    "clock show": lambda bench: bench.alone("clock", "show"),
    "sync": lambda bench: bench.alone("sync"),
    "hub drain": lambda bench: bench.hub("drain", "--wait", "0"),
    "mode declare": lambda bench: bench.alone("mode", "declare", "offline24", "--reason", "x"),
    "mode withdraw": lambda bench: (
        bench.alone("mode", "declare", "offline24", "--reason", "x") or bench.alone("mode", "withdraw", "--reason", "x")
    ),
    "deadline": lambda bench: bench.plain("deadline", *QUESTION),
    "register": lambda bench: bench.alone("register", "--month", "2026-11"),
    "evidence": _evidence,
    "evidence verify": lambda bench: _evidence(bench) or bench.plain("evidence", "verify", bench.out("e")),
    "export": lambda bench: (bench.sold() and bench.alone("export", "--out", bench.out("archive"))) or 0,
    "backup": lambda bench: (bench.sold() and bench.alone("backup", bench.out("copy.db"))) or 0,
    "hub backup": lambda bench: _chain(bench, "backup", bench.out("copy.db")),
    "restore": _restored,
    "reprint": lambda bench: bench.alone("reprint", bench.sold()),
    "print-test": lambda bench: bench.alone("print-test"),
    "rejected technical": lambda bench: bench.running("rejected", "technical", bench.shop.rejected(450)),
    "rejected resend": _resent,
    "rejected close": lambda bench: bench.running("rejected", "close", bench.shop.rejected(440), "--reason", "x"),
    "token add": lambda bench: bench.alone("token", "add", "kasa"),
    "token revoke": lambda bench: bench.alone("token", "add", "kasa") or bench.alone("token", "revoke", "kasa"),
    "token list": lambda bench: bench.alone("token", "list"),
    "hub token add": lambda bench: bench.hub("token", "add", "Anna"),
    "hub token revoke": lambda bench: _person(bench, "token", "revoke", "Anna"),
    "hub token list": lambda bench: bench.hub("token", "list"),
    "hub certificate list": lambda bench: bench.hub("certificate", "list"),
    "hub seller add": lambda bench: bench.hub(*_seller(bench)),
    "hub seller list": lambda bench: bench.hub("seller", "list"),
    "hub seller remove": lambda bench: bench.hub(*_seller(bench)) or bench.hub("seller", "remove", BUYER_NIP),
    "hub till add": lambda bench: _chain(bench, "till", "add", "kasa 2"),
    "hub till import": lambda bench: _chain(
        bench, "till", "import", bench.file([{"name": "kasa 2"}]), "--tokens", bench.out("tokens")
    ),
    "hub till list": lambda bench: bench.hub("till", "list"),
    "hub till revoke": lambda bench: _chain(bench, "till", "revoke", "kasa 1"),
    "hub till token": lambda bench: _chain(bench, "till", "token", "kasa 1"),
    "hub till adopt": lambda bench: _chain(bench, "till", "adopt", "kasa 1"),
    "hub till settle": _settled,
    "hub tls": lambda bench: bench.plain("hub", "tls", bench.out("tls"), "localhost"),
}
"""Clock confirm and enroll end well only where KSeF or a manager's clock is at hand: their own tests."""


def _tls(bench: Bench) -> int:
    (bench.folder / "tls").mkdir()
    bench.file("x", "tls/ca.crt")
    bench.file("x", "tls/ca.key")
    return bench.plain("hub", "tls", bench.out("tls"), "localhost")


def _without_credentials(bench: Bench) -> int:
    assert bench.hub(*_seller(bench)) == 0
    (bench.folder / "ksef.token").unlink()
    return bench.hub("check", "--offline")


def _refused(bench: Bench) -> int:
    (bench.folder / "lp0").unlink()
    return bench.alone("print-test")


def _paperless(bench: Bench) -> int:
    number = bench.shop.do(bench.shop.place.sell()).number
    bench.shop.place.printer.plan.append(Outcome.UNKNOWN)
    return bench.running("reprint", number)


FOUND_WANTING: dict[str, Callable[[Bench], int]] = {
    "run": lambda bench: bench.locked("run"),
    "hub check": _without_credentials,
    "check": lambda bench: bench.alone("check", "--offline"),
    "issue": _rejected_online,
    "correct": lambda bench: bench.alone("correct", "FV/0", "--full-return"),
    "status": lambda bench: bench.alone("status"),
    "hub status": lambda bench: _hub_status(bench, "9"),
    "queue": lambda bench: bench.locked("queue"),
    "outbox status": lambda bench: bench.locked("outbox", "status"),
    "outbox replay": lambda bench: bench.alone("outbox", "replay", "--from", "1"),
    "mode show": lambda bench: bench.locked("mode", "show"),
    "clock show": lambda bench: bench.locked("clock", "show"),
    "clock confirm": lambda bench: bench.alone("clock", "confirm", "2001-01-01"),
    "sync": lambda bench: (bench.sold() and bench.alone("sync", "--wait", "0")) or 0,
    "mode declare": lambda bench: bench.alone("mode", "declare", "total_failure", "--reason", " "),
    "mode withdraw": lambda bench: bench.alone("mode", "withdraw", "--reason", "x"),
    "deadline": lambda bench: bench.plain("deadline", *QUESTION, "--events", bench.file("[", "events.json")),
    "register": lambda bench: bench.alone("register", "--month", "2026-11", "--ksef"),
    "evidence": lambda bench: bench.alone(
        "evidence", "--from", "2026-11-01", "--to", "2026-11-30", "--out", bench.out("no/such/folder")
    ),
    "evidence verify": lambda bench: (
        _evidence(bench, damaged=True) or bench.plain("evidence", "verify", bench.out("e"))
    ),
    "export": lambda bench: bench.alone("export", "--out", bench.out("archive")),
    "backup": lambda bench: bench.alone("backup", bench.out("copy.db")),
    "hub backup": lambda bench: bench.hub("backup", bench.out("copy.db")),
    "restore": lambda bench: bench.alone("restore", bench.file("no database"), "--yes"),
    "reprint": _paperless,
    "print-test": _refused,
    "rejected technical": lambda bench: bench.running("rejected", "technical", "FV/0"),
    "rejected resend": lambda bench: bench.running("rejected", "resend", bench.shop.rejected(450)),
    "rejected close": lambda bench: bench.running(
        "rejected", "close", bench.shop.sell_offline().number, "--reason", "x"
    ),
    "enroll": lambda bench: bench.alone("enroll", "--out", bench.out("pair")),
    "token add": lambda bench: _twice(bench.alone, "token", "add", "kasa"),
    "token revoke": lambda bench: bench.alone("token", "revoke", "kasa"),
    "hub token add": lambda bench: _twice(bench.hub, "token", "add", "Anna"),
    "hub token revoke": lambda bench: bench.hub("token", "revoke", "Anna"),
    "hub certificate withdraw": lambda bench: bench.hub("certificate", "withdraw", "01F20A5D352AE590"),
    "hub seller add": lambda bench: bench.hub("seller", "add", "123", "--token-file", bench.out("ksef.token")),
    "hub seller remove": lambda bench: _chain(bench, "seller", "remove", BUYER_NIP),
    "hub till add": lambda bench: _chain(bench, "till", "add", "kasa 1"),
    "hub till import": lambda bench: _chain(bench, "till", "import", bench.file([{"name": "kasa 2"}])),
    "hub till revoke": lambda bench: _chain(bench, "till", "revoke", "kasa 2"),
    "hub till token": lambda bench: _chain(bench, "till", "token", "kasa 2"),
    "hub till adopt": lambda bench: _chain(bench, "till", "adopt", "kasa 2"),
    "hub till settle": lambda bench: _chain(bench, "till", "settle", "FV-1/1", "--why", "x"),
    "hub tls": _tls,
}


@pytest.fixture
def bench(run: Run, printing_config: Path, request: pytest.FixtureRequest) -> Bench:
    return Bench(run, printing_config, lambda: request.getfixturevalue("shop"))


@pytest.mark.parametrize("name", DONE)
def test_done_is_0(bench: Bench, name: str) -> None:
    assert DONE[name](bench) == 0, documented()[name][0]


@pytest.mark.parametrize("name", FOUND_WANTING)
def test_refused_or_found_wanting_is_1(bench: Bench, name: str) -> None:
    assert FOUND_WANTING[name](bench) == 1, documented()[name][1]


def test_a_stopped_service_is_named_first(run: Run, printing_config: Path) -> None:
    ran = run("status", "--json", "--config", str(printing_config))
    report = json.loads(ran.out)
    assert (ran.code, report["status"], report["problems"][0]["code"]) == (1, "critical", "service-stopped")
    assert report["problems_total"] >= len(report["problems"])
