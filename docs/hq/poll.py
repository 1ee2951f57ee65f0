"""Poll many agents and show the worst first: an example for HQ, without a database or Prometheus.

python poll.py http://till-1:8781 http://till-2:8781 …
python poll.py --file tills.txt --worst 20
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ORDER = ("unreachable", "critical", "degraded", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one agent said. ``deadline`` is an ISO date or empty."""

    address: str
    word: str
    unsent: int = 0
    overdue: int = 0
    deadline: str = ""
    problem: str = ""

    @property
    def rank(self) -> tuple[int, int, str, int, str]:
        """Worse sorts lower: status, overdue, nearest deadline, queue."""
        return ORDER.index(self.word), -self.overdue, self.deadline or "9999", -self.unsent, self.address


async def _ask(session: aiohttp.ClientSession, gate: asyncio.Semaphore, address: str) -> Finding:
    async with gate:
        try:
            async with session.get(f"{address}/health") as response:
                return _finding(address, await response.json())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Finding(address, "unreachable", problem=type(error).__name__)
        except (KeyError, TypeError):
            return Finding(address, "unreachable", problem="something else answers there")


def _finding(address: str, body: dict[str, Any]) -> Finding:
    queue = body["queue"]
    problems = "; ".join(item["message"] for item in body["problems"])
    word = body["status"] if body["status"] in ORDER else "critical"
    return Finding(address, word, queue["unsent"], queue["overdue"], queue["next_deadline"] or "", problems)


async def poll(addresses: Sequence[str], *, at_once: int = 100, seconds: float = 10.0) -> list[Finding]:
    """Ask all, at most ``at_once`` at a time and ``seconds`` each; worst first."""
    gate = asyncio.Semaphore(at_once)
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        found = await asyncio.gather(*(_ask(session, gate, address) for address in addresses))
    return sorted(found, key=lambda item: item.rank)


def table(found: Sequence[Finding]) -> list[str]:
    """Lines to print: a header, then one agent each."""
    lines = [f"{'status':<12} {'unsent':>6} {'late':>5} {'deadline':<10} address / problem"]
    for item in found:
        text = f"{item.address} {item.problem}".rstrip()
        lines.append(f"{item.word:<12} {item.unsent:>6} {item.overdue:>5} {item.deadline:<10} {text}")
    return lines


def main() -> None:
    """Exit code 1 when any agent is critical or out of reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="*", help="http://host:port of an agent's health listener")
    parser.add_argument("--file", type=Path, help="file with one address per line")
    parser.add_argument("--worst", type=int, default=0, help="show only so many (0: all)")
    given = parser.parse_args()
    addresses = list(given.address)
    if given.file:
        addresses += [line.strip() for line in given.file.read_text().splitlines() if line.strip()]
    found = asyncio.run(poll([address.rstrip("/") for address in addresses]))
    shown = found[: given.worst] if given.worst else found
    sys.stdout.write("\n".join(table(shown)) + "\n")
    sys.exit(1 if found and found[0].word in {"unreachable", "critical"} else 0)


if __name__ == "__main__":
    main()
