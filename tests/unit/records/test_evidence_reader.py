"""The zip of a bundle is read as the standard library reads it, without its list of files in memory."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agent.store import evidence_reader
from agent.store.evidence_notes import SqliteEvidenceNotes
from agent.store.evidence_reader import PIECE, ZipFiles

CONTENT = {
    "faktury/ż_1/dane.json": b'{"id": 1}\n',
    "faktury/a/wydruk-1.bin": random.Random(1).randbytes(3 * PIECE + 7),
    "faktury/a/pusty.txt": b"",
    "zdarzenia.jsonl": b"one\ntwo\r\nthree\rfour\n" * 9_000 + b"no end",
    "long.jsonl": b"x" * (2 * PIECE) + b"\n" + b"y" * PIECE,
}


def packed(content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, zip64: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.mkdir("faktury")
        for path, each in content.items():
            with archive.open(path, "w", force_zip64=zip64) as out:
                out.write(each)
        archive.comment = b"PK\5 a comment"
    return file.getvalue()


@contextmanager
def opened(data: bytes) -> Iterator[ZipFiles]:
    with closing(SqliteEvidenceNotes()) as notes:
        yield ZipFiles(io.BytesIO(data), notes)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("zip64", [False, True])
def test_every_file_is_what_was_packed(method: int, zip64: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if zip64:
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    with opened(packed(CONTENT, method, zip64=zip64)) as files:
        assert list(files.paths()) == sorted(CONTENT)
        assert len(files) == len(CONTENT)
        assert {path: files.read(path) for path in files.paths()} == CONTENT
        for path, content in CONTENT.items():
            assert list(files.lines(path)) == content.splitlines(keepends=True)
            pieces = list(files.pieces(path))
            assert max(map(len, pieces), default=0) <= PIECE
        assert "faktury/a/pusty.txt" in files
        assert "faktury/a" not in files
        assert "faktury/" not in files
        assert list(files.lines("none")) == []
        with pytest.raises(KeyError):
            files.read("none")


def test_two_files_are_read_at_once() -> None:
    with opened(packed(CONTENT)) as files:
        lines = files.lines("zdarzenia.jsonl")
        assert next(lines) == b"one\n"
        assert files.read("faktury/a/wydruk-1.bin") == CONTENT["faktury/a/wydruk-1.bin"]
        assert b"one\n" + b"".join(lines) == CONTENT["zdarzenia.jsonl"]


def test_no_damage_goes_unseen_and_none_is_a_defect() -> None:
    small = {"a.txt": b"content of a", "b.txt": b"b" * 50}
    data = packed(small)
    for place in range(len(data)):
        for changed in (data[:place], data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]):
            try:
                with opened(changed) as files:
                    found = {path: files.read(path) for path in files.paths()}
            except (zipfile.BadZipFile, zlib.error):
                continue
            named = {path: content for path, content in small.items() if path in found}
            assert found == named or len(found) == len(small), place  # a name, or a time, was changed


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_way_of_packing_is_refused(method: int) -> None:
    with opened(packed({"a": b"content"}, method)) as files, pytest.raises(zipfile.BadZipFile):
        files.read("a")


def test_two_files_of_one_name_are_refused() -> None:
    data = packed({"aa": b"1", "bb": b"2"}).replace(b"bb", b"aa")
    with pytest.raises(zipfile.BadZipFile, match="one name"), opened(data):
        pass


def test_a_file_that_bears_two_names_is_refused() -> None:
    data = packed({"aa": b"1"})
    with opened(data.replace(b"aa", b"bb", 1)) as files, pytest.raises(zipfile.BadZipFile, match="not where"):
        files.read("aa")


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed({"a": b"\0" * 10_000_000})
    lying = data.replace((10_000_000).to_bytes(4, "little"), (1_000).to_bytes(4, "little"))
    with opened(lying) as files, pytest.raises(zipfile.BadZipFile, match="not what"):
        next(files.pieces("a"))
    monkeypatch.setattr(evidence_reader, "MAX_FILE_BYTES", 1_000)
    with opened(data) as files:
        with pytest.raises(zipfile.BadZipFile, match="too large"):
            files.read("a")
        with pytest.raises(zipfile.BadZipFile, match="too long"):
            list(files.lines("a"))


def test_the_list_of_files_is_not_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"faktury/FV-2026-11-{number:06}_0197a5b2-0000-7000-8000-{number:012x}/dane.json", b"")
    with closing(SqliteEvidenceNotes()) as notes, path.open("rb") as file:
        tracemalloc.start()
        try:
            files = ZipFiles(file, notes)
            assert sum(1 for each in files.paths() if each in files) == 20_000
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()
