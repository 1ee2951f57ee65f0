"""Files that outlive a power cut; what a cut leaves is tested in tests/crash/test_powerloss_commands.py."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from agent.system import durable_files
from agent.system.durable_files import sync_names, write_whole


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were synced, in order."""
    found: list[Path] = []
    monkeypatch.setattr(durable_files, "sync_folder", found.append)
    return found


def test_names_are_synced_up_to_the_mount_point(
    tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    sync_names(tmp_path / "a" / "b" / "file")
    assert synced == [tmp_path / "a" / "b", tmp_path / "a", tmp_path]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Path] = []

    def refusing(folder: Path) -> None:
        if folder == tmp_path.parent:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        found.append(folder)

    monkeypatch.setattr(durable_files, "sync_folder", refusing)
    sync_names(tmp_path / "file")
    assert found == [tmp_path]
    with pytest.raises(PermissionError):
        sync_names(tmp_path.parent / "file")


def test_a_file_is_whole_private_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "key"
    (tmp_path / "key.tmp").write_bytes(b"left by a killed run")
    for content in (b"first", b"second"):
        write_whole(target, content, 0o600)
        assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "key"
    write_whole(target, b"first", 0o600)

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        write_whole(target, b"second", 0o600)
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]
