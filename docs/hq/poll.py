#!/usr/bin/env python3
"""Poll many agents and show the worst first: for HQ, without a database or Prometheus. Python 3.8 and nothing else.

python3 poll.py http://till-1:8781 http://till-2:8781 ...
python3 poll.py --file tills.txt --worst 20
python3 poll.py --file tills.txt --json

A line of the file: an address, and after a space what to call it; # begins a comment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ORDER = ("unreachable", "critical", "degraded", "ok")
LARGEST_ANSWER = 1024 * 1024  # bytes


@dataclass(frozen=True)
class Finding:
    """What one agent said. ``name``: what the file calls it, else NIP and till; ``deadline``: ISO date or empty."""

    address: str
    word: str
    unsent: int = 0
    overdue: int = 0
    deadline: str = ""
    problem: str = ""
    name: str = ""
    version: str = ""

    @property
    def rank(self) -> tuple[int, int, str, int, str]:
        """Worse sorts lower: status, overdue, nearest deadline, queue."""
        return ORDER.index(self.word), -self.overdue, self.deadline or "9999", -self.unsent, self.address


async def _ask(gate: asyncio.Semaphore, address: str, seconds: float, name: str) -> Finding:
    """Ask one; whatever it does, it takes no longer than ``seconds``."""
    async with gate:
        try:
            body = await asyncio.wait_for(_health(address), seconds)
        except asyncio.TimeoutError:  # noqa: UP041 - before Python 3.11 it is no TimeoutError
            return Finding(address, "unreachable", problem=f"no answer in {seconds:g} s", name=name)
        except (OSError, ssl.SSLError) as error:
            return Finding(address, "unreachable", problem=str(error) or type(error).__name__, name=name)
        except (ValueError, EOFError, asyncio.LimitOverrunError):
            return Finding(address, "unreachable", problem="something else answers there", name=name)
    try:
        return _finding(address, body, name)
    except (KeyError, TypeError, AttributeError):
        return Finding(address, "unreachable", problem="something else answers there", name=name)


async def _health(address: str) -> Any:
    parts = urlsplit(address if "//" in address else f"http://{address}")
    if not parts.hostname:
        raise ValueError(address)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 8781, ssl=secure or None)
    try:
        writer.write(
            f"GET /health HTTP/1.0\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n\r\n".encode("ascii")
        )
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\ncontent-length: *(\d+)", head, re.IGNORECASE)
        size = int(length[1]) if length else LARGEST_ANSWER
        if size > LARGEST_ANSWER:
            raise ValueError("too long")
        return json.loads(await reader.readexactly(size) if length else await reader.read(size))
    finally:
        writer.close()


def _finding(address: str, body: Mapping[str, Any], name: str) -> Finding:
    queue = body["queue"]
    problems = "; ".join(item["message"] for item in body["problems"])
    word = body["status"] if body["status"] in ORDER else "critical"
    called = name or f"{body.get('nip', '?')} kasa {body.get('till', '?')}"
    deadline = queue["next_deadline"] or ""
    version = str(body.get("version", ""))
    return Finding(address, word, queue["unsent"], queue["overdue"], deadline, problems, called, version)


async def poll(
    addresses: Sequence[str], *, at_once: int = 500, seconds: float = 10.0, names: Mapping[str, str] | None = None
) -> list[Finding]:
    """Ask all, at most ``at_once`` at a time and ``seconds`` each; worst first."""
    gate = asyncio.Semaphore(at_once)
    known = names or {}
    found = await asyncio.gather(*(_ask(gate, each, seconds, known.get(each, "")) for each in addresses))
    return sorted(found, key=lambda item: item.rank)


def table(found: Sequence[Finding]) -> list[str]:
    """Lines to print: a header, then one agent each."""
    lines = [f"{'status':<12} {'unsent':>6} {'late':>5} {'deadline':<10} till, address, problem"]
    for item in found:
        text = " ".join(filter(None, (item.name, item.address, item.problem)))
        lines.append(f"{item.word:<12} {item.unsent:>6} {item.overdue:>5} {item.deadline:<10} {text}")
    return lines


def read_file(text: str) -> dict[str, str]:
    """Return the addresses of a file with their names, empty where it gives none."""
    found = {}
    for line in text.splitlines():
        address, _, name = line.partition("#")[0].strip().partition(" ")
        if address:
            found[address.rstrip("/")] = name.strip()
    return found


def main() -> None:
    """Exit code 1 when any agent is critical or out of reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="*", help="http://host:port of an agent's health listener")
    parser.add_argument("--file", type=Path, help="file with one address per line, after it a name")
    parser.add_argument("--worst", type=int, default=0, help="show only so many (0: all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long one agent may take")
    given = parser.parse_args()
    names = dict.fromkeys((address.rstrip("/") for address in given.address), "")
    if given.file:
        names.update(read_file(given.file.read_text("utf-8")))
    found = asyncio.run(poll(list(names), names=names, seconds=given.seconds))
    shown = found[: given.worst] if given.worst else found
    if given.json:
        sys.stdout.write(json.dumps([asdict(item) for item in shown], ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(table(shown)) + "\n")
    sys.exit(1 if found and found[0].word in {"unreachable", "critical"} else 0)


if __name__ == "__main__":
    main()
