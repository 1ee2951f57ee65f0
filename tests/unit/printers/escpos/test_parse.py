"""The strict parser: every command of ours in any pieces, nothing else."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers.escpos import parse
from printers.escpos.encode import encode
from printers.profiles.models import PROFILES, QrMode
from tests.unit.printers.slips import RSA_LINK, invoice, profile

JOBS = [encode(invoice(RSA_LINK), profile(name, mode)) for name in ("generic-80", "generic-58") for mode in QrMode]


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (b"abc", parse.Characters(b"abc")),
        (b"\n", parse.LineFeed()),
        (b"\x1b@", parse.Initialize()),
        (b"\x1bd\x05", parse.FeedLines(5)),
        (b"\x1d!\x11", parse.Size(2, 2)),
        (b"\x1bp\x00\x19\xfa", parse.Drawer(0)),
        (b"\x1dv0\x00\x01\x00\x02\x00\xff\x00", parse.Raster(0, 1, 2, b"\xff\x00")),
        (b"\x1d(k\x03\x001E0", parse.QrCorrection("L")),
        (b"\x1d(H\x06\x00001234", parse.ProcessId(b"1234")),
        (b"\x1dr\x01", parse.TransmitStatus(1)),
        (b"\x10\x04\x02", parse.RealTimeStatus(2)),
        (b"\x00\x00\x00", parse.Padding(3)),
    ],
)
def test_reads(data: bytes, command: parse.Command) -> None:
    assert parse.parse(data) == [command]


@pytest.mark.parametrize(
    "data",
    [
        b"\x07",
        b"\x7f",
        b"\x1bX",
        b"\x1b*\x00\x01\x00\x00",
        b"\x1d(L\x02\x0001",
        b"\x1dv1\x00\x01\x00\x01\x00\x00",
        b"\x1dv0\x01\x01\x00\x01\x00\x00",
        b"\x1dv0\x00\x00\x00\x01\x00",
        b"\x1d(k\x03\x001Z0",
        b"\x1d(k\x03\x001C\x11",
        b"\x1d(H\x03\x00001",
        b"\x1d!\x88",
        b"\x1ba\x03",
        b"\x1bE\x02",
        b"\x1dV\x00\x00",
        b"\x10\x05\x01",
        b"\x10\x04\x05",
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(parse.UnknownBytes) as caught:
        parse.parse(b"ab" + data + b"rest")
    assert caught.value.offset == 2


@pytest.mark.parametrize("data", [b"\x1b", b"\x1bt", b"\x1dv0\x00\x02", b"\x1d(k\x05\x001P0a", b"\x10\x04", b"\x1d("])
def test_names_what_is_cut_off(data: bytes) -> None:
    with pytest.raises(parse.Incomplete):
        parse.parse(b"ab" + data)


@given(st.sampled_from(JOBS), st.lists(st.integers(0, 20_000), max_size=12))
def test_pieces_do_not_matter(job: bytes, cuts: list[int]) -> None:
    parser = parse.Parser()
    places = sorted({0, len(job), *(cut % len(job) for cut in cuts)})
    pieces = [parser.feed(job[start:end]) for start, end in itertools.pairwise(places)]
    assert b"".join(raw for piece in pieces for _, raw in piece) == job
    others = (parse.Characters, parse.Padding)  # runs may be divided
    whole = [command for command in parse.parse(job) if not isinstance(command, others)]
    assert [command for piece in pieces for command, _ in piece if not isinstance(command, others)] == whole


@given(st.binary(max_size=200))
def test_never_anything_but_its_own_errors(data: bytes) -> None:
    try:
        parse.parse(data)
    except (parse.UnknownBytes, parse.Incomplete):
        return


def test_all_profiles_are_read() -> None:
    for kind in PROFILES.values():
        assert parse.parse(encode(invoice(), kind))
