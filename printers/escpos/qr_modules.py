"""The modules of a QR code in byte mode, error correction M, mask 2 (ISO/IEC 18004).

All three are pinned, so what hangs on the version alone (fixed patterns, where each bit goes, where the mask turns it)
is worked out once; a code then costs its error correction and one pass over its modules. tests/unit/printers/escpos
holds every version against the library `qrcode`, and two readers scan the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise, zip_longest
from operator import itemgetter
from typing import NamedTuple

_BLOCKS = (
    1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
    17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49,
)  # fmt: skip
"""Blocks of error correction in versions 1 to 40 at level M (ISO 18004, table 9)."""
_CHECKS = (10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, *([28] * 19))
"""Error correction codewords of each block, likewise."""
_BYTE_MODE = 0b0100
_END_BITS = 4
"""Bits of the terminator; with the mode they make one codeword more."""
_LONG_COUNT = 10
"""From this version on the count of bytes takes two bytes, before that one."""
_PADDING = bytes((0xEC, 0x11))
_FORMAT = 0b101111001111100
"""Level M and mask 2, with their own error correction (ISO 18004, annex C)."""
_HAS_VERSION = 7
"""From this version on the symbol says its version, twice."""
_FIELD = 0x11D
"""The polynomial of GF(256)."""
_WHITE, _BLACK = -2, -1
"""Places counted from the end of the bits: where fixed modules take theirs from."""

Place = tuple[int, int]
"""Row and column."""


def draw(data: bytes, version: int, capacity: int) -> tuple[str, ...]:
    """Return the modules row by row, "1" is black, without the quiet zone.

    ``capacity`` is how many bytes the version holds; ``data`` has no more.
    """
    counted = 2 if version >= _LONG_COUNT else 1
    head = _BYTE_MODE << 8 * counted | len(data)
    used = (head << 8 * len(data) | int.from_bytes(data, "big")) << _END_BITS
    total = capacity + counted + 1
    codewords = used.to_bytes(len(data) + counted + 1, "big") + _PADDING * (capacity - len(data))
    stream = _interleaved(codewords[:total], _BLOCKS[version - 1], _CHECKS[version - 1])
    layout = _layout(version)
    masked = int.from_bytes(stream, "big") << layout.bits - 8 * len(stream) ^ layout.mask
    modules = "".join(layout.put(f"{masked:0{layout.bits}b}01"))
    return tuple(modules[start : start + layout.side] for start in range(0, len(modules), layout.side))


def _interleaved(codewords: bytes, blocks: int, checks: int) -> bytes:
    """Return first codewords of all blocks, then second ones, ..., and their error correction in the same way.

    The last blocks are one codeword longer where the division leaves some over.
    """
    short, longer = divmod(len(codewords), blocks)
    ends = [short * number + max(0, number - (blocks - longer)) for number in range(blocks + 1)]
    parts = [codewords[start:end] for start, end in pairwise(ends)]
    corrections = [_correction(part, checks) for part in parts]
    turns = [*zip_longest(*parts), *zip(*corrections, strict=True)]
    return bytes(codeword for turn in turns for codeword in turn if codeword is not None)


def _correction(part: bytes, checks: int) -> bytes:
    """Return the remainder of a block divided by the generator polynomial (Reed-Solomon)."""
    steps = _multiples(checks)
    top = 8 * (checks - 1)
    below = (1 << top) - 1
    rest = 0
    for codeword in part:
        rest = (rest & below) << 8 ^ steps[rest >> top ^ codeword]
    return rest.to_bytes(checks, "big")


@lru_cache(maxsize=8)
def _multiples(checks: int) -> tuple[int, ...]:
    """Return the generator polynomial of that degree, its highest term left out, times 0 to 255."""
    generator = [0] * (checks - 1) + [1]
    root = 1
    for _ in range(checks):
        generator = [
            _times(each, root) ^ following for each, following in zip(generator, [*generator[1:], 0], strict=True)
        ]
        root = _times(root, 2)
    return tuple(int.from_bytes(bytes(_times(each, factor) for each in generator), "big") for factor in range(256))


def _times(one: int, other: int) -> int:
    """Multiply in GF(256)."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one = one << 1 ^ (_FIELD if one & 0x80 else 0)
        other >>= 1
    return product


class _Layout(NamedTuple):
    """What the version alone says: modules along a side, bits that go in, which of them the mask turns.

    ``put`` takes those bits, then a white and a black one, and gives every module of the symbol.
    """

    side: int
    bits: int
    mask: int
    put: Callable[[str], tuple[str, ...]]


@lru_cache(maxsize=8)
def _layout(version: int) -> _Layout:
    side = 17 + 4 * version
    fixed = dict(_fixed(version, side))
    free = [place for place in _zigzag(side) if place not in fixed]
    mask = int("".join("1" if column % 3 == 0 else "0" for _, column in free), 2)
    sources = {place: _BLACK if black else _WHITE for place, black in fixed.items()}
    sources |= {place: number for number, place in enumerate(free)}
    put = itemgetter(*(sources[row, column] for row in range(side) for column in range(side)))
    return _Layout(side, len(free), mask, put)


def _zigzag(side: int) -> Iterator[Place]:
    """Give the places in the order of the bits: pairs of columns from the right, up and down in turns."""
    upwards = True
    for right in (*range(side - 1, 6, -2), 5, 3, 1):
        for row in range(side - 1, -1, -1) if upwards else range(side):
            yield row, right
            yield row, right - 1
        upwards = not upwards


def _fixed(version: int, side: int) -> Iterator[tuple[Place, bool]]:
    """Give every module that no data goes into, and whether it is black; the later ones of a place count."""
    for along in range(side):
        yield (6, along), along % 2 == 0
        yield (along, 6), along % 2 == 0
    for row, column in _alignment(version, side):
        yield from _square(row, column, side, reach=2, white=(1,))
    for row, column in ((3, 3), (3, side - 4), (side - 4, 3)):
        yield from _square(row, column, side, reach=4, white=(2, 4))
    yield from _format(side)
    if version >= _HAS_VERSION:
        yield from _version(version, side)


def _square(row: int, column: int, side: int, *, reach: int, white: tuple[int, ...]) -> Iterator[tuple[Place, bool]]:
    """Give squares one in another around a place, as far as they are in the symbol."""
    for down in range(max(0, row - reach), min(side, row + reach + 1)):
        for right in range(max(0, column - reach), min(side, column + reach + 1)):
            yield (down, right), max(abs(down - row), abs(right - column)) not in white


def _alignment(version: int, side: int) -> Iterator[Place]:
    """Give the centres of the alignment patterns (ISO 18004, annex E); none lies in a finder pattern."""
    if version == 1:
        return
    count = version // 7 + 2
    step = (version * 8 + count * 3 + 5) // (count * 4 - 4) * 2
    centres = [6, *(side - 7 - step * number for number in range(count - 1))]
    corners = {(6, 6), (6, side - 7), (side - 7, 6)}
    yield from ((row, column) for row in centres for column in centres if (row, column) not in corners)


def _format(side: int) -> Iterator[tuple[Place, bool]]:
    """Give both copies of the format, the lowest bit first, and the module that is always black."""
    around = [(row, 8) for row in (0, 1, 2, 3, 4, 5, 7, 8)] + [(8, column) for column in (7, 5, 4, 3, 2, 1, 0)]
    apart = [(8, side - column) for column in range(1, 9)] + [(side - row, 8) for row in range(7, 0, -1)]
    for copy in (around, apart):
        yield from ((place, bool(_FORMAT >> bit & 1)) for bit, place in enumerate(copy))
    yield (side - 8, 8), True


def _version(version: int, side: int) -> Iterator[tuple[Place, bool]]:
    """Give both copies of the version with its error correction (ISO 18004, annex D), the lowest bit first."""
    rest = version
    for _ in range(12):
        rest = rest << 1 ^ (0x1F25 if rest & 0x800 else 0)
    bits = version << 12 | rest
    for bit in range(18):
        along, across = bit // 3, side - 11 + bit % 3
        yield (along, across), bool(bits >> bit & 1)
        yield (across, along), bool(bits >> bit & 1)
