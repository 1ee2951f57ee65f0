"""What a till costs while nobody presses: start, memory, CPU, wake-ups; what is installed.

Measured is the Debian package where one is built (`make deb`) and its Python is here, else this tree; with what the
unit sets for memory.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.bench import _results as results
from tests.bench.press import milliseconds
from tests.fakes.agent_process import PROGRAM, AgentProcess, agent_process

ROOT = Path(__file__).parents[2]
HOME = Path("opt/ksef-agent")
UNIT = ROOT / "systemd/ksef-agent.service"
MEMORY = ("MALLOC_ARENA_MAX", "SSL_CERT_FILE", "FROZENLIST_NO_EXTENSIONS", "PYTHONTZPATH")
"""Lines of the unit that concern memory."""
DEBIAN_PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
STARTS = 5
IDLE_SECONDS = 60.0
SETTLE_SECONDS = 15.0
TICKS = 100
"""Clock ticks of /proc a second (USER_HZ)."""
MILLION = 1_000_000
LARGEST_PACKAGE = 15.0
LARGEST_INSTALLED = 60.0
"""Million bytes."""
IMPORTS = "import agent.serving.serve, agent.cli"


def bare_imports(program: tuple[str, ...]) -> float:
    """Milliseconds of an interpreter that imports what the service imports, and ends."""
    begun = time.perf_counter()
    subprocess.run(program, check=True)
    return (time.perf_counter() - begun) * 1000


def cpu_seconds(place: AgentProcess) -> float:
    fields = stat(place, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wake_ups(place: AgentProcess) -> int:
    """Voluntary context switches of all threads."""
    assert place.process is not None
    tasks = Path(f"/proc/{place.process.pid}/task").iterdir()
    texts = [(task / "status").read_text("utf-8") for task in tasks]
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)


def megabytes(place: AgentProcess, name: str = "VmRSS") -> float:
    return int(stat(place, "status").partition(f"{name}:")[2].split()[0]) / 1024


def stat(place: AgentProcess, name: str) -> str:
    assert place.process is not None
    return Path(f"/proc/{place.process.pid}/{name}").read_text("utf-8")


def held_by(place: AgentProcess) -> Counter[str]:
    """Return what RSS is made of, in KiB: Python's own memory, malloc's, and each library (code and data)."""
    held: Counter[str] = Counter()
    name = ""
    for line in stat(place, "smaps").splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            path = words[5] if len(words) > 5 else "Python's objects, threads"
            name = "malloc" if path == "[heap]" else Path(path).name
        elif words[0] == "Rss:":
            held[name] += int(words[1])
    return held


def newest_package() -> Path | None:
    """Return the package of this machine that was built last; None without one, or without its Python."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
    found = sorted((ROOT / "dist").glob(f"ksef-agent_*_{architecture}.deb"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found and Path(DEBIAN_PYTHON).exists() else None


def unpack(package: Path, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Unpack and compile it as postinst does; how to start it, and how to import alone. Prints sizes."""
    subprocess.run(("dpkg-deb", "-x", package, folder), check=True)
    field = subprocess.run(("dpkg-deb", "-f", package, "Installed-Size"), capture_output=True, text=True, check=True)
    fetched, installed = package.stat().st_size / MILLION, int(field.stdout) * 1024 / MILLION
    print(f"measured: {package.name}, {DEBIAN_PYTHON}")
    results.ratio("footprint: the package", fetched, LARGEST_PACKAGE, limit=1.0, unit="MB")
    results.ratio("footprint: installed", installed, LARGEST_INSTALLED, limit=1.0, unit="MB")
    libraries = folder / HOME / "lib/common"
    compiler = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run((DEBIAN_PYTHON, "-IS", "-m", "compileall", "-q", libraries), env=compiler, check=False)
    compiled = sum(path.stat().st_size for path in libraries.rglob("*.pyc")) / MILLION
    print(f"modules that postinst compiles, for one Python: {compiled:.1f} MB")
    launcher = folder / HOME / "bin/ksef-agent"
    launcher.write_text(launcher.read_text("utf-8").replace(f'"/{HOME}', f'"{folder / HOME}'))
    imports = folder / "imports"
    imports.write_text(launcher.read_text("utf-8").partition("from agent.cli")[0] + IMPORTS)
    return (DEBIAN_PYTHON, "-BISXno_debug_ranges", str(launcher)), (DEBIAN_PYTHON, "-BIS", str(imports))


def environment() -> dict[str, str]:
    """Return the unit's lines that concern memory."""
    lines = re.findall(r"^Environment=(\w+)=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    return {name: value for name, value in lines if name in MEMORY}


async def measure(folder: Path) -> None:
    """Print all."""
    program: tuple[str, ...] = PROGRAM
    imports: tuple[str, ...] = (sys.executable, "-c", IMPORTS)
    if (package := newest_package()) is not None:
        program, imports = unpack(package, folder / "package")
    async with agent_process(folder, program=program, environment=environment()) as place:
        starts, bare = [], []
        for _ in range(STARTS):
            await place.stop()
            starts.append(await milliseconds(place.start))
            bare.append(await asyncio.to_thread(bare_imports, imports))
        results.ratio(
            "footprint: start to ready against bare imports",
            statistics.median(starts),
            statistics.median(bare),
            limit=1.5,
            unit="ms",
        )
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, woken = cpu_seconds(place), wake_ups(place)
        await asyncio.sleep(IDLE_SECONDS)
        share = (cpu_seconds(place) - cpu) / IDLE_SECONDS * 100
        results.ratio("footprint: idle, per cent of a core", share, 1.0, limit=0.2, unit="%")
        results.ratio("footprint: idle, RSS against 64 MiB", megabytes(place), 64.0, limit=1.0, unit="MiB")
        print(f"of it private: {megabytes(place, 'RssAnon'):.1f} MiB, of files: {megabytes(place, 'RssFile'):.1f} MiB")
        for name, size in held_by(place).most_common(8):
            print(f"  {size / 1024:6.1f} MiB  {name}")
        print(f"wake-ups a second, idle: {(wake_ups(place) - woken) / IDLE_SECONDS:.1f}")


def main() -> None:
    """Print all."""
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(Path(name)))
