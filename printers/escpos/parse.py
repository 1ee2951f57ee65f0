"""ESC/POS bytes to typed commands. Strict: a byte this program never sends is an error, never skipped.

The sandbox printer, the text preview and the picture all read through this one parser, so what they show is what
the bytes say.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.domain.values import dataclass
from printers.escpos.charset import printable

# --- commands -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Characters:
    """A run of printable bytes, in the code page selected last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class LineFeed:
    """LF: print the line."""


@dataclass(frozen=True, slots=True)
class FeedLines:
    """ESC d."""

    lines: int


@dataclass(frozen=True, slots=True)
class Initialize:
    """ESC @."""


@dataclass(frozen=True, slots=True)
class CancelKanji:
    """FS . ."""


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """ESC R."""

    number: int


@dataclass(frozen=True, slots=True)
class SelectCodePage:
    """ESC t."""

    page: int


@dataclass(frozen=True, slots=True)
class SelectFont:
    """ESC M: 0 is A, 1 is B."""

    font: int


@dataclass(frozen=True, slots=True)
class Bold:
    """ESC E."""

    on: bool


@dataclass(frozen=True, slots=True)
class Size:
    """GS !: multiples of the normal width and height, 1 to 8."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Justify:
    """ESC a: 0 left, 1 centre, 2 right."""

    where: int


@dataclass(frozen=True, slots=True)
class Raster:
    """GS v 0."""

    mode: int
    width_bytes: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class QrModel:
    """GS ( k fn 165."""

    model: int


@dataclass(frozen=True, slots=True)
class QrModule:
    """GS ( k fn 167: dots per module."""

    dots: int


@dataclass(frozen=True, slots=True)
class QrCorrection:
    """GS ( k fn 169: L, M, Q or H."""

    level: str


@dataclass(frozen=True, slots=True)
class QrStore:
    """GS ( k fn 180."""

    data: bytes


@dataclass(frozen=True, slots=True)
class QrPrint:
    """GS ( k fn 181."""


@dataclass(frozen=True, slots=True)
class Cut:
    """GS V 66: feed to the cutter and cut."""


@dataclass(frozen=True, slots=True)
class Drawer:
    """ESC p."""

    pin: int


@dataclass(frozen=True, slots=True)
class ProcessId:
    """GS ( H fn 48: answer with these four bytes when everything before is printed."""

    identifier: bytes


@dataclass(frozen=True, slots=True)
class TransmitStatus:
    """GS r: answer when reached."""

    number: int


@dataclass(frozen=True, slots=True)
class RealTimeStatus:
    """DLE EOT: answer at once, even when offline."""

    number: int


@dataclass(frozen=True, slots=True)
class Padding:
    """NUL bytes, sent to fill a raster that a broken connection left open."""

    count: int


Command = (
    Characters
    | LineFeed
    | FeedLines
    | Initialize
    | CancelKanji
    | CharacterSet
    | SelectCodePage
    | SelectFont
    | Bold
    | Size
    | Justify
    | Raster
    | QrModel
    | QrModule
    | QrCorrection
    | QrStore
    | QrPrint
    | Cut
    | Drawer
    | ProcessId
    | TransmitStatus
    | RealTimeStatus
    | Padding
)


class UnknownBytes(ValueError):
    """Bytes that are no command of ours. ``offset`` counts from the first byte fed."""

    def __init__(self, offset: int, data: bytes) -> None:
        super().__init__(f"unknown bytes at {offset}: {data.hex(' ')}")
        self.offset = offset
        self.data = data


class Incomplete(ValueError):
    """The bytes end inside a command."""


# --- parser -------------------------------------------------------------------------------------------------

_More = None
"""What a reader returns while the command is not complete yet."""


class Parser:
    """Feed bytes in any pieces; get the commands that are complete."""

    def __init__(self) -> None:
        self._buffer = b""
        self._offset = 0

    def feed(self, data: bytes) -> list[tuple[Command, bytes]]:
        """Return each complete command with its own bytes. Raises UnknownBytes."""
        self._buffer += data
        commands: list[tuple[Command, bytes]] = []
        position = 0
        while position < len(self._buffer):
            found = self._next(position)
            if found is _More:
                break
            command, length = found
            commands.append((command, self._buffer[position : position + length]))
            position += length
        self._buffer = self._buffer[position:]
        self._offset += position
        return commands

    @property
    def pending(self) -> int:
        """Bytes of a command that is not complete."""
        return len(self._buffer)

    def _next(self, start: int) -> tuple[Command, int] | None:
        buffer = self._buffer
        first = buffer[start]
        if printable(first):
            end = _run(_LETTERS, buffer, start)
            return Characters(buffer[start:end]), end - start
        if first == 0x00:
            end = _run(_ZEROS, buffer, start)
            return Padding(end - start), end - start
        if first == 0x0A:
            return LineFeed(), 1
        return self._fixed(start)

    def _fixed(self, start: int) -> tuple[Command, int] | None:
        """Read commands of a fixed length."""
        rest = self._buffer[start : start + 2]
        if len(rest) < 2:
            if rest in (b"\x1b", b"\x1c", b"\x1d", b"\x10"):
                return _More
            raise UnknownBytes(self._offset + start, rest)
        if rest not in _FIXED:
            return self._long(start)
        length, make = _FIXED[rest]
        piece = self._buffer[start : start + length]
        if len(piece) < length:
            return _More
        return self._made(make(piece[2:]), start, piece), length

    def _long(self, start: int) -> tuple[Command, int] | None:
        """Read commands that carry their own length: GS v 0, GS ( k, GS ( H."""
        buffer = self._buffer
        head = buffer[start : start + 3]
        if head[:2] not in (b"\x1dv", b"\x1d("):
            raise UnknownBytes(self._offset + start, head)
        if len(head) < 3:
            return _More
        if head == b"\x1dv0":
            header = buffer[start : start + 8]
            if len(header) < 8:
                return _More
            width = int.from_bytes(header[4:6], "little")
            height = int.from_bytes(header[6:8], "little")
            size = 8 + width * height
        elif head in (b"\x1d(k", b"\x1d(H"):
            header = buffer[start : start + 5]
            if len(header) < 5:
                return _More
            width = height = 0
            size = 5 + int.from_bytes(header[3:5], "little")
        else:
            raise UnknownBytes(self._offset + start, head)
        piece = buffer[start : start + size]
        if len(piece) < size:
            return _More
        command: Command | None
        if head == b"\x1dv0":
            mode = piece[3]
            command = Raster(mode, width, height, piece[8:]) if mode in (0, 3) and width and height else None
        elif head == b"\x1d(k":
            command = _symbol(piece[5:])
        else:
            command = ProcessId(piece[7:]) if piece[5:7] == b"00" and size == 11 else None
        return self._made(command, start, piece), size

    def _made(self, command: Command | None, start: int, piece: bytes) -> Command:
        if command is None:
            raise UnknownBytes(self._offset + start, piece[:16])
        return command


def parse(data: bytes) -> list[Command]:
    """Return all commands of a whole job. Raises UnknownBytes, Incomplete."""
    parser = Parser()
    commands = [command for command, _ in parser.feed(data)]
    if parser.pending:
        raise Incomplete(f"the last {parser.pending} bytes are no complete command")
    return commands


_LETTERS = re.compile(b"[" + re.escape(bytes(byte for byte in range(256) if printable(byte))) + b"]+")
_ZEROS = re.compile(rb"\0+")


def _run(members: re.Pattern[bytes], buffer: bytes, start: int) -> int:
    found = members.match(buffer, start)
    return start if found is None else found.end()


def _flag(parameters: bytes) -> Command | None:
    return Bold(parameters == b"\x01") if parameters in (b"\x00", b"\x01") else None


def _font(parameters: bytes) -> Command | None:
    return SelectFont(parameters[0]) if parameters[0] in (0, 1) else None


def _justify(parameters: bytes) -> Command | None:
    return Justify(parameters[0]) if parameters[0] in (0, 1, 2) else None


def _size(parameters: bytes) -> Command | None:
    return None if parameters[0] & 0x88 else Size((parameters[0] >> 4) + 1, (parameters[0] & 7) + 1)


def _cut(parameters: bytes) -> Command | None:
    return Cut() if parameters == b"B\x00" else None


def _status(parameters: bytes) -> Command | None:
    return RealTimeStatus(parameters[0]) if parameters[0] in (1, 2, 3, 4) else None


_FIXED: dict[bytes, tuple[int, Callable[[bytes], Command | None]]] = {
    b"\x1b@": (2, lambda _: Initialize()),
    b"\x1c.": (2, lambda _: CancelKanji()),
    b"\x1bR": (3, lambda p: CharacterSet(p[0])),
    b"\x1bt": (3, lambda p: SelectCodePage(p[0])),
    b"\x1bM": (3, _font),
    b"\x1bE": (3, _flag),
    b"\x1ba": (3, _justify),
    b"\x1bd": (3, lambda p: FeedLines(p[0])),
    b"\x1bp": (5, lambda p: Drawer(p[0]) if p[0] in (0, 1) else None),
    b"\x1d!": (3, _size),
    b"\x1dV": (4, _cut),
    b"\x1dr": (3, lambda p: TransmitStatus(p[0]) if p[0] in (1, 2) else None),
    b"\x10\x04": (3, _status),
}
"""First two bytes: whole length, and how the parameters read (None: not ours)."""


def _symbol(parameters: bytes) -> Command | None:
    head, value = parameters[:2], parameters[2:]
    if head == b"1A" and value in (b"1\x00", b"2\x00"):
        return QrModel(value[0] - 0x30)
    if head == b"1C" and len(value) == 1 and 1 <= value[0] <= 16:
        return QrModule(value[0])
    if head == b"1E" and value in (b"0", b"1", b"2", b"3"):
        return QrCorrection("LMQH"[value[0] - 0x30])
    if head == b"1P" and value[:1] == b"0" and len(value) > 1:
        return QrStore(value[1:])
    if parameters == b"1Q0":
        return QrPrint()
    return None
