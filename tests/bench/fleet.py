"""What 3,000 tills cost headquarters: docs/hq/poll.py against as many, of which 100 hang; series and bytes a till."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.web.health import health_json
from agent.web.metrics import render
from tests.fakes.agent_with_sandbox import agent_with_sandbox

POLL = Path(__file__).parents[2] / "docs" / "hq" / "poll.py"
TILLS, HANGING = 3000, 100
FIRST_PORT = 20_000


async def measure() -> None:
    """Ask a page of /health and of /metrics of an agent, then serve it 3,000 times."""
    with TemporaryDirectory() as folder:
        async with agent_with_sandbox(Path(folder)) as place:
            agent = place.agent
            await agent.announcements.poll()
            await agent.connection.probe()
            await agent.printers.ask()
            for _ in range(3):
                await place.sell()
            await agent.upos.pass_once()
            await agent.backlogs.count()
            await agent.problems.refresh()
            report = agent.health.report()
            metrics = render(report, agent.counters, agent.backlogs.last, shop="Sklep 7")
        body = json.dumps(health_json(report)).encode()
        lines = [line for line in metrics.splitlines() if not line.startswith("#")]
        print(f"a page of /health: {len(body)} bytes; of /metrics: {len(metrics)} bytes, {len(lines)} series")
        await poll(body, Path(folder) / "tills.txt")


async def poll(body: bytes, file: Path) -> None:
    """Run poll.py as HQ does, by a python3 of its own."""
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def hanging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    servers = [
        await asyncio.start_server(hanging if number < HANGING else healthy, "127.0.0.1", FIRST_PORT + number)
        for number in range(TILLS)
    ]
    lines = "".join(f"http://127.0.0.1:{FIRST_PORT + number} kasa {number}\n" for number in range(TILLS))
    await asyncio.to_thread(file.write_text, lines)
    begun = time.monotonic()
    command = (sys.executable, "-I", str(POLL), "--file", str(file), "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    took = time.monotonic() - begun
    words = Counter(each["word"] for each in json.loads(output))
    print(f"poll.py, {TILLS} tills of which {HANGING} hang: {took:.1f} s, {dict(words)}")
    for server in servers:
        server.close()


def main() -> None:
    """Print both."""
    asyncio.run(measure())
