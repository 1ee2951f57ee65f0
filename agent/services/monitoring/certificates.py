"""The certificates a till holds, as alerts and /health look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from agent.domain.values import dataclass
from agent.ports import Json, Signer, Store


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """One: ``use`` is authentication or offline, ``nips`` whose it may be."""

    use: str
    holder: Signer
    nips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RenewalAttempt:
    """The last time a certificate was due and KSeF was asked for another one. ``problem``: Polish, None: it worked."""

    at: datetime
    problem: str | None


class RenewalAttempts:
    """The last attempt by use; a restart forgets none."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self.last: Mapping[str, RenewalAttempt] = {}

    async def load(self) -> None:
        """Read what is durable."""
        kept = await self._store.read(lambda tx: tx.key_values.get(_ATTEMPTS))
        if isinstance(kept, dict):
            self.last = {use: _read_attempt(each) for use, each in kept.items() if isinstance(each, dict)}

    async def record(self, use: str, problem: str | None) -> None:
        """Keep an attempt that ended now."""
        self.last = {**self.last, use: RenewalAttempt(self._now(), problem)}
        kept: Json = {each: {"at": one.at.isoformat(), "problem": one.problem} for each, one in self.last.items()}
        await self._store.write(lambda tx: tx.key_values.put(_ATTEMPTS, kept))


class HeldCertificates:
    """All of them; what they say changes when one is renewed, or comes from a hub.

    ``attempts``: their last renewals. ``file_problems``: by use what is wrong with the files that lie there now.
    """

    def __init__(self, held: Callable[[], Iterable[HeldCertificate]], attempts: RenewalAttempts) -> None:
        self._held = held
        self.attempts = attempts
        self.file_problems: Callable[[], Mapping[str, str]] = dict

    @property
    def all(self) -> tuple[HeldCertificate, ...]:
        """Return those in use now."""
        return tuple(self._held())

    def failed_renewals(self) -> Mapping[str, tuple[datetime, str]]:
        """Return by use when the last attempt failed, and why."""
        last = self.attempts.last.items()
        return {use: (each.at, each.problem) for use, each in last if each.problem is not None}

    def ends(self) -> Mapping[str, datetime | None]:
        """Return by use when each expires; None for the Offline certificate that is missing."""
        return {"offline": None, **{each.use: each.holder.expires for each in self.all}}

    def starts(self) -> Mapping[str, datetime]:
        """Return by use from when each is valid."""
        return {each.use: each.holder.valid_from for each in self.all}

    def foreign(self) -> Mapping[str, str]:
        """Return by use the NIP of each that belongs to somebody else."""
        return {
            each.use: each.holder.owner_nip
            for each in self.all
            if each.holder.owner_nip is not None and each.holder.owner_nip not in each.nips
        }


_ATTEMPTS = "certificate-renewals"


def _read_attempt(kept: Mapping[str, Json]) -> RenewalAttempt:
    problem = kept.get("problem")
    return RenewalAttempt(datetime.fromisoformat(str(kept["at"])), problem if isinstance(problem, str) else None)
