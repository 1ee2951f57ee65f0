"""Since when KSeF, which answers, gives no session to send in or takes nothing: of a till, or of a hub for one NIP."""

from __future__ import annotations

from agent.ports import Clock, KsefError
from agent.services.elapsed import Since

BATCHES_FORGOTTEN_SECONDS = 3600.0
"""So long after the last batch that failed it is no trouble any more: nothing waits that would go as one."""


class BatchTrouble:
    """Since when batches fail, one after the other; what goes singly meanwhile says nothing of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: Since | None = None
        self._last: Since | None = None
        self.words = ""
        """Of the newest failure."""

    @property
    def since(self) -> Since | None:
        """Since when; None where batches go, or none was tried for long."""
        if self._last is None or self._last.seconds(self._clock) > BATCHES_FORGOTTEN_SECONDS:
            return None
        return self._since

    def failed(self, error: KsefError) -> None:
        """Note that one more failed."""
        self._since = self.since or Since.now(self._clock)
        self._last = Since.now(self._clock)
        self.words = error.message

    def over(self) -> None:
        """Note that one went."""
        self._since = self._last = None


class SendingTrouble:
    """Begins with the first failure; ends when KSeF takes something, or with a new session where there was none.

    Questions that KSeF answers say nothing of it. Trouble of the line counts while probes are answered, since what
    stands before KSeF may let only those through; it ends with a probe that fails, too, which others tell of.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.since: Since | None = None
        self.words = ""
        """KSeF's, in the newest failure."""
        self._by_line = False
        """The newest failure had no usable answer."""
        self._in_session = False
        """Something failed since it began although there was a session."""
        self._probe_answered = False
        """The newest probe was answered."""
        self._sessions: dict[str, str] = {}
        """The newest session by way: a till of a chain has two."""

    def failed(self, error: KsefError, *, in_session: bool = False) -> None:
        """Note that signing in or opening a session failed, or (``in_session``) sending, for a reason of no invoice."""
        if error.link_down and not self._probe_answered:
            return
        self._in_session = in_session or (self._in_session and self.since is not None)
        self.since = self.since or Since.now(self._clock)
        self.words = error.message
        self._by_line = error.link_down

    def taken(self) -> None:
        """Note that KSeF took an invoice or a batch."""
        self.since = None

    def in_session(self, session_ref: str, way: str) -> bool:
        """Note the session to send in, and tell whether it is new.

        One that was open before says nothing of what KSeF would do now; nor does a new one of what it takes.
        """
        if session_ref == self._sessions.get(way):
            return False
        self._sessions[way] = session_ref
        if not self._in_session:
            self.since = None
        return True

    def probed(self, *, answered: bool) -> None:
        """Note how a probe ended."""
        self._probe_answered = answered
        if self._by_line and not answered:
            self.since = None
