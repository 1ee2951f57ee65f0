"""Ansible's connection to a machine of tests/package/machine.py: its namespaces, no ssh."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

from ansible.plugins.connection import ConnectionBase  # type: ignore[import-not-found] # build/ansible has it

DOCUMENTATION = """
name: nsenter
short_description: a container by its first process
description: [Runs programs in the namespaces of a container of systemd-nspawn.]
author: the till agent's engineers
options:
  leader:
    description: process id of the container's systemd
    vars: [{name: ansible_nsenter_leader}]
    required: true
"""
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")


class Connection(ConnectionBase):  # type: ignore[misc] # Ansible has no types
    """Files go through cat: the container sees nothing of this machine."""

    transport = "nsenter"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a line of shell."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        target = ("nsenter", "--target", str(self.get_option("leader")), *NAMESPACES)
        program = (*target, "env", "--ignore-environment", PATH, "HOME=/root", "LANG=C.UTF-8", "/bin/sh", "-c", cmd)
        done = subprocess.run(program, input=in_data or b"", capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Write a file into the container."""
        super().put_file(in_path, out_path)
        self._must(f"cat >{shlex.quote(out_path)}", Path(in_path).read_bytes())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Read a file of the container."""
        super().fetch_file(in_path, out_path)
        Path(out_path).write_bytes(self._must(f"cat {shlex.quote(in_path)}", b""))

    def close(self) -> None:
        """Nothing is open."""
        self._connected = False

    def _must(self, command: str, data: bytes) -> bytes:
        code, output, error = self.exec_command(command, data)
        if code:
            raise OSError(error.decode(errors="replace"))
        return output

    def reset(self, *_: Any) -> None:
        """Nothing to forget."""
