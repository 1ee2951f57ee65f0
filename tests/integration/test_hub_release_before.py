"""The newest release and the program of today in one chain, as processes: upgraded hub first, or tills first.

The release runs from its own sources, taken out of git, with the libraries of today. Each order ends with everything
of today; each step presses while KSeF is there and while it is away, so that what one version took waits for the other.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas import FA3_FILES
from tests.fakes.forked import ForkHost, fork_host
from tests.fakes.hub_chain import ChainProcess, HubChain, hub_chain, start_all
from tests.fakes.sales import mixed_sale

pytestmark = [pytest.mark.nightly, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
TILLS = 2
WAIT_SECONDS = 120.0


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the newest release before this tree."""
    find = ("git", "log", "--grep", "^Release [0-9]", "--format=%H", "-1", "HEAD~1")
    commit = subprocess.run(find, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    if not commit:
        pytest.skip("no release in this clone's history")
    tree = tmp_path_factory.mktemp("release")
    packed = subprocess.run(("git", "archive", commit), cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(("tar", "-x"), cwd=tree, input=packed, check=True)
    (tree / "schemas" / "fa3").mkdir(exist_ok=True)
    for name in FA3_FILES:  # of the Ministry, not in git
        shutil.copy(ROOT / "schemas" / "fa3" / name, tree / "schemas" / "fa3" / name)
    return tree


@dataclass
class Skewed:
    """A chain, and the two programs that its processes may be of."""

    chain: HubChain
    before: ForkHost
    today: ForkHost
    pressed: int = 0

    async def begin(self) -> None:
        """Let the release make the hub's database, with the seller and each till, and run all of it."""
        for each in (*self.chain.hubs, *self.chain.tills):
            each.host = self.before
        files = self.chain.access
        given = ("--certificate-file", files["certificate_file"], "--key-file", files["key_file"])
        await self._command("seller", "add", self.chain.sandbox.nip, *given)
        for till in self.chain.tills:
            series = ("--series", f"FV-{till.number}", "--series", f"FK-{till.number}")
            made = await self._command("till", "add", f"kasa {till.number}", *series)
            till.hub_token.write_text(str(made["token"]), "utf-8")
            till.hub_token.chmod(0o600)
        await start_all(self.chain.hubs)
        await start_all(self.chain.tills)

    async def _command(self, *words: str) -> dict[str, object]:
        (hub,) = self.chain.hubs
        output = hub.config.with_name("command.log")
        output.unlink(missing_ok=True)
        given = ("hub", *words, "--json", "--config", str(hub.config))
        pid = await self.before.start(output, *given)
        code = await self._ended(pid)
        text = output.read_text("utf-8")
        assert code == 0, text
        answer: dict[str, object] = json.loads(text)
        return answer

    async def _ended(self, pid: int) -> int:
        for _ in range(int(WAIT_SECONDS * 20)):
            if (code := await self.before.ended(pid)) is not None:
                return code
            await asyncio.sleep(0.05)
        raise AssertionError("the command goes on and on")

    async def upgrade(self, processes: Sequence[ChainProcess]) -> None:
        """Stop them as systemd does, and start the program of today on what they left."""
        for each in processes:
            assert each.pid is not None
            assert await each.host.end(each.pid, signal.SIGTERM) == 0, each.log.read_text("utf-8")[-3000:]
            each.host = self.today
        await start_all(processes)

    async def press(self) -> None:
        """Press on each till while KSeF is there, then while it is away."""
        await self.chain.sandbox.plan("*", "none")
        await self._on_each()
        await self.chain.settled()
        await self.chain.sandbox.plan("ksef", "refuse")
        await self._on_each()
        give_up = asyncio.get_running_loop().time() + WAIT_SECONDS
        held = "SELECT sha256 FROM invoices WHERE state <> 'accepted'"
        while len(await self.chain.memory.ask(held)) < TILLS:
            assert asyncio.get_running_loop().time() < give_up, "the hub never held what KSeF did not take"
            await asyncio.sleep(0.2)

    async def _on_each(self) -> None:
        self.pressed += 1
        for till in self.chain.tills:
            status, answer = await till.post(
                "/v1/invoices", mixed_sale(till.number * 1000 + self.pressed), f"{self.pressed}"
            )
            assert status == 201, answer

    async def check(self) -> None:
        """Each invoice is in KSeF once, as issued; its till has that number and was told it once."""
        ledger = {entry.key[2]: (entry.sha256, entry.ksef_number) for entry in self.chain.sandbox.ledger.entries()}
        assert len(self.chain.sandbox.ledger.entries()) == len(ledger) == self.pressed * TILLS
        for till in self.chain.tills:
            rows = till.rows("SELECT number, sha256, ksef_number FROM invoices JOIN versions ON invoice_id = id")
            assert {number: (sha256, ksef) for number, sha256, ksef in rows}.items() <= ledger.items()
            assert len(rows) == self.pressed
            told = till.rows("SELECT invoice_id FROM events WHERE kind = 'accepted'")
            assert set(Counter(told).values()) == {1}
        for each in (*self.chain.hubs, *self.chain.tills):
            assert "Traceback" not in each.log.read_text("utf-8"), each.log.read_text("utf-8")[-3000:]


@pytest.fixture
async def skewed(tmp_path: Path, release: Path) -> AsyncIterator[Skewed]:
    async with (
        fork_host(release) as before,
        fork_host() as today,
        hub_chain(tmp_path, TILLS, sqlite=True, started=False) as chain,
    ):
        made = Skewed(chain, before, today)
        await made.begin()
        yield made


@pytest.mark.parametrize("first", ["hub", "tills"])
async def test_either_side_is_upgraded_first(skewed: Skewed, first: str) -> None:
    sides: dict[str, Sequence[ChainProcess]] = {"hub": skewed.chain.hubs, "tills": skewed.chain.tills}
    await skewed.press()
    await skewed.upgrade(sides.pop(first))
    await skewed.press()
    (rest,) = sides.values()
    await skewed.upgrade(rest)
    await skewed.press()
    await skewed.chain.sandbox.plan("*", "none")
    await skewed.chain.settled()
    await skewed.check()
