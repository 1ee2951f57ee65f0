"""A Debian machine with a real systemd, in a container of systemd-nspawn, for tests of the package.

Needs root, debootstrap and systemd-container. A root is made once and kept; each machine is an overlay of it, without a
network but loopback. The container may make device nodes, and its systemd really enforces device policies and system
call filters (`--capability=all`, `bpf @privileged`).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
INCLUDE = "systemd,systemd-sysv,udev,python3,python3-venv,make,libusb-1.0-0,tzdata,ca-certificates"
BOOT_SECONDS = 120.0
RUN_SECONDS = 300.0
POLL_SECONDS = 0.25
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


def debian_root(suite: str, cache: Path) -> Path:
    """Return a root of a Debian release, made by debootstrap where it is not there yet (minutes, and a network)."""
    for program, package in (("debootstrap", "debootstrap"), ("systemd-nspawn", "systemd-container")):
        if shutil.which(program) is None:
            raise RuntimeError(f"{program} is needed: apt-get install {package}")
    if os.geteuid() != 0:
        raise RuntimeError("root is needed, for containers")
    root = cache / suite
    if not root.is_dir():
        partial = cache / f"{suite}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        command = ("debootstrap", "--variant=minbase", f"--include={INCLUDE}", suite, partial, MIRROR)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        partial.rename(root)
    return root


def control_group(name: str) -> Path:
    """Make a control group for one machine: of one that two share, each stops and removes the other's services."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    here = re.findall(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    top = next(Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2")
    made: Path = top / here[0] / name
    made.mkdir()
    return made


class Machine:
    """One machine; ``root`` is its file system, from outside."""

    def __init__(self, suite: str, base: Path | str, folder: Path, name: str = "") -> None:
        """Over ``base``; several, the uppermost first, with a colon between."""
        self.suite = suite
        self.name = f"ksef-agent-{suite}{name}"
        self.root = folder / "root"
        self._folder = folder
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._group: Path | None = None
        self._leader = 0
        self._started: list[subprocess.Popen[bytes]] = []
        for name in ("root", "upper", "work"):
            (folder / name).mkdir()
        options = f"lowerdir={base},upperdir={folder}/upper,workdir={folder}/work"
        subprocess.run(("mount", "-t", "overlay", "overlay", "-o", options, self.root), check=True)
        if not (self.root / "etc/hosts").exists():  # debootstrap makes none, Debian's installer does
            (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")

    def boot(self, credentials: Mapping[str, str] | None = None, *, state: str = "running") -> None:
        """Start systemd and wait until it has started everything. ``state``: what systemd says of itself then."""
        given = [f"--set-credential={name}:{value}" for name, value in (credentials or {}).items()]
        log = (self._folder / "console.log").open("ab")
        self._group = control_group(f"{self.name}-{self._folder.name}")
        self._nspawn = subprocess.Popen(
            (
                *("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self._group),
                *("systemd-nspawn", "--boot", f"--directory={self.root}", "--private-network", "--console=pipe"),
                *("--register=no", "--keep-unit", "--capability=all", "--system-call-filter=bpf @privileged"),
                f"--machine={self.name}",
                *given,
            ),
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        until = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < until:
            if self._nspawn.poll() is not None:
                break
            self._leader = int((children.read_text().split() or ["0"])[0])
            if self._leader and self.run("systemctl", "is-system-running", check=False).stdout.strip() == state:
                return
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"the machine did not start: {(self._folder / 'console.log').read_text()[-4000:]}")

    @property
    def leader(self) -> int:
        """The process id of the machine's systemd, as this machine sees it."""
        return self._leader

    def close(self) -> None:
        """Switch off and forget everything."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            os.kill(self._leader, signal.SIGRTMIN + 4)  # systemd(1): poweroff
            try:
                self._nspawn.wait(30)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        for each in self._started:
            each.kill()  # nsenter itself; what it ran went with the machine
            each.wait()
        subprocess.run(("umount", "--lazy", self.root), check=True)
        if self._group is not None:
            for folder in (*sorted(self._group.rglob("*/"), reverse=True), self._group):
                with suppress(OSError):
                    folder.rmdir()

    def run(
        self, *command: str | Path, check: bool = True, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the machine, as root, with nothing of this process's environment and nobody to answer it."""
        done = subprocess.run(
            (*self._inside(more or {}), *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            words = " ".join(map(str, command))
            raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, *command: str, log: str) -> None:
        """Leave a program running on the machine, until it is switched off."""
        with self.path(log).open("wb") as output:
            program = (*self._inside({}), *command)
            started = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._started.append(started)

    def _inside(self, more: Mapping[str, str]) -> tuple[str, ...]:
        environment = [f"{name}={value}" for name, value in {**ENVIRONMENT, **more}.items()]
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
        return ("nsenter", "--target", str(self._leader), *namespaces, "env", "--ignore-environment", *environment)

    def path(self, inside: str) -> Path:
        """Return a file of the machine as seen from outside; not what lies in /run, /dev or another mount."""
        return self.root / inside.lstrip("/")

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).stdout.strip()
