"""The drop folder, watched: looked through every few seconds, file by file, one after the other.

By listings on monotonic time, since a network share tells of no new file. A file is taken once two looks at least a
second apart see the same size, time and inode, it can be opened, and it ends as a finished one does; one that does not
end so gets a minute. To take it is to move it into a folder of this agent's own: from then on nobody replaces it, and
whatever lies there after a crash is issued first. Presses at the counter go first, and a pass looks at a bounded number
of files, so ten thousand at once hold up nobody.

What goes wrong with one file (held by a program, a defect of ours) leaves it where it is and rests it; what goes wrong
with the folder or the store rests everything. Both are problems of /health until they are over.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from agent.domain.errors import StoreLost, Unavailable
from agent.domain.values import dataclass
from agent.ports import Clock, DropFolder, FileHeld, FolderAway, Look, Place
from agent.services.exchange import names
from agent.services.exchange.intake import is_whole
from agent.services.exchange.taker import Taker
from agent.services.exchange.updates import Updates
from agent.services.issuing.issue import Issuing
from agent.services.signals import Signal
from agent.settings.model import DropFolderSettings

LOG = logging.getLogger("agent.drop-folder")
FILES_A_PASS = 200
UNCHANGED_SECONDS = 1.0
"""Between two looks that have to agree."""
PATIENCE_SECONDS = 60.0
"""For a file that does not end as a whole one, and does not grow any more."""
RESTS = (2.0, 5.0, 15.0, 60.0)
"""Seconds before each further try of a file, and of the folder."""
REST_SECONDS = 0.02
"""After each file, so that whoever else waits for the loop has it."""
YIELD_SECONDS = 0.05
YIELDS = 600
"""How often a file lets presses go first: half a minute at most."""
TOLD_FILES = 3
REFUSED_COUNTED = 1_000
REFUSED_SECONDS = 60.0


@dataclass(slots=True)
class Seen:
    """A file as last looked at."""

    look: Look
    since: float
    """Monotonic: when it was first seen like this."""


@dataclass(slots=True)
class Rest:
    """Why a file waits, and until when."""

    reason: str
    tries: int
    until: float


class DropFolderWatch:
    """Takes files, one after the other."""

    def __init__(
        self,
        folder: DropFolder,
        *,
        clock: Clock,
        issuing: Issuing,
        taker: Taker,
        updates: Updates,
        changed: Signal,
        settings: DropFolderSettings,
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._folder = folder
        self._issuing = issuing
        self._taker = taker
        self._updates = updates
        self._poll_seconds = settings.poll_seconds
        self._wanted = names.wanted(settings.formats)
        self._seen: dict[str, Seen] = {}
        self._resting: dict[str, Rest] = {}
        self._away: Rest | None = None
        self._looked = False
        self._refused = 0
        self._refused_at = float("-inf")
        self._others: list[str] = []
        self._left: list[str] = []
        """Of what agents of other names took: what lay there a minute ago already."""
        self._others_at = float("-inf")

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            taken = await self.pass_once()
            rest = 0.0 if self._away is None else RESTS[min(self._away.tries, len(RESTS)) - 1]
            await self._clock.sleep(max(rest, YIELD_SECONDS if taken else self._poll_seconds))

    async def pass_once(self) -> int:
        """Look once and take what is ready; return how many files were taken."""
        taken = 0
        try:
            await self._updates.pass_once()
            left = await self._folder.looks(Place.TAKEN, self._may_be_looked_at, FILES_A_PASS)
            for look in left:
                taken += await self._take(look, self._issue)
            looks = await self._folder.looks(Place.INBOX, self._may_be_looked_at, FILES_A_PASS)
            self._forget_rests(looks, left)
            for look in self._unchanged(looks):
                taken += await self._take(look, self._claim)
            await self._count_refused()
            await self._look_for_left()
        except FolderAway as error:
            self._rest_all(f"Katalog wymiany: {error.reason}")
        except Unavailable as error:
            self._rest_all(error.detail)
        else:
            self._recovered()
        self._looked = True
        return taken

    @property
    def problems(self) -> dict[str, tuple[str, bool]] | None:
        """What /health should say: subject -> (Polish sentence, whether everything waits). None before a first look."""
        if not self._looked:
            return None
        found: dict[str, tuple[str, bool]] = {}
        if self._away is not None and self._away.tries > 1:
            found["folder"] = (f"{self._away.reason.rstrip('.')}. Pliki czekają.", True)
        stuck = {name: rest for name, rest in self._resting.items() if rest.tries > len(RESTS)}
        for name, rest in sorted(stuck.items())[:TOLD_FILES]:
            shown = names.shown(name)
            found[f"file:{shown}"] = (f"Plik „{shown}” w katalogu wymiany czeka: {rest.reason}.", False)
        for path in self._left[:TOLD_FILES]:
            folder, _, name = names.shown(path).partition("/")
            text = (
                f"Plik „{name}” leży w katalogu „{folder}”: wzięła go kasa o innej nazwie i nie odpowiedziała. Jeśli "
                "nazwę kasy zmieniono, przenieś plik z powrotem do katalogu wymiany."
            )
            found[f"left:{folder}/{name}"] = (text, False)
        if self._refused:
            count = f"{self._refused} lub więcej" if self._refused == REFUSED_COUNTED else str(self._refused)
            found["refused"] = (
                f"W katalogu wymiany są odrzucone pliki ({count}), obok każdego stoi powód. "
                "Popraw je i włóż ponownie, a odrzucone usuń.",
                False,
            )
        return found

    # --- looking --------------------------------------------------------------------------------------

    def _may_be_looked_at(self, name: str) -> bool:
        rest = self._resting.get(name)
        return self._wanted(name) and (rest is None or rest.until <= self._clock.monotonic())

    def _unchanged(self, looks: list[Look]) -> list[Look]:
        """Return those that look as they did a moment ago, and remember how all look now."""
        now = self._clock.monotonic()
        before, self._seen = self._seen, {}
        ready = []
        for look in looks:
            seen = before.get(look.name)
            if seen is None or seen.look != look:
                seen = Seen(look, now)
            elif now - seen.since >= UNCHANGED_SECONDS:
                ready.append(look)
            self._seen[look.name] = seen
        return ready

    def _forget_rests(self, *looks: list[Look]) -> None:
        """A file that was looked for and is nowhere any more rests no longer."""
        now = self._clock.monotonic()
        there = {look.name for found in looks for look in found}
        for name, rest in list(self._resting.items()):
            if rest.until <= now and name not in there:
                del self._resting[name]

    async def _let_presses_go_first(self) -> None:
        for _ in range(YIELDS):
            if not self._issuing.pressing:
                return
            await self._clock.sleep(YIELD_SECONDS)

    async def _count_refused(self) -> None:
        now = self._clock.monotonic()
        if now - self._refused_at >= REFUSED_SECONDS:
            self._refused = await self._folder.count(Place.REFUSED, self._wanted, REFUSED_COUNTED)
            self._refused_at = now

    async def _look_for_left(self) -> None:
        """Look for what a till of another name took: after a new name nobody issues what the old one had before it."""
        now = self._clock.monotonic()
        if now - self._others_at >= REFUSED_SECONDS:
            before, self._others = self._others, await self._folder.taken_by_others(self._wanted, REFUSED_COUNTED)
            self._left = [path for path in self._others if path in before]
            self._others_at = now

    # --- taking ---------------------------------------------------------------------------------------

    async def _take(self, look: Look, work: Callable[[Look], Awaitable[bool]]) -> bool:
        """Do the work of a file; False where it waits."""
        await self._let_presses_go_first()
        try:
            done = await work(look)
        except FileHeld as error:
            self._rest(look.name, error.reason)
            return False
        except (FolderAway, Unavailable, StoreLost):
            raise
        except Exception:
            LOG.exception("file %r: a defect, it stays where it is", look.name)
            self._rest(look.name, "błąd programu; wezwij serwis")
            return False
        if done:
            self._resting.pop(look.name, None)
            self._seen.pop(look.name, None)
        await self._clock.sleep(REST_SECONDS)
        await self._updates.pass_once()
        return done

    async def _claim(self, look: Look) -> bool:
        """Take a file of the inbox once it is whole, and issue it."""
        kind = names.format_of(look.name)
        if look.size <= self._taker.largest(kind) and not is_whole(await self._folder.read(look), kind):
            if self._clock.monotonic() - self._seen[look.name].since < PATIENCE_SECONDS:
                return False
            LOG.warning("file %r does not end as a whole one", look.name)
        if await self._folder.sha256(Place.TAKEN, look.name) is not None:
            raise FileHeld("wcześniejszy plik o tej nazwie jeszcze czeka")
        await self._folder.claim(look)
        return await self._issue(look)

    async def _issue(self, look: Look) -> bool:
        """Issue a taken file."""
        if await self._taker.issue(look):
            self._refused_at = float("-inf")
        return True

    # --- trouble --------------------------------------------------------------------------------------

    def _rest(self, name: str, reason: str) -> None:
        tries = self._resting[name].tries + 1 if name in self._resting else 1
        pause = RESTS[min(tries, len(RESTS)) - 1]
        self._resting[name] = Rest(reason, tries, self._clock.monotonic() + pause)

    def _rest_all(self, reason: str) -> None:
        tries = 1 if self._away is None else self._away.tries + 1
        if tries == 1:
            LOG.warning("drop folder waits: %s", reason)
        self._away = Rest(reason, tries, 0.0)
        self._changed.set()

    def _recovered(self) -> None:
        if self._away is not None:
            LOG.warning("drop folder is back")
            self._away = None
            self._changed.set()
