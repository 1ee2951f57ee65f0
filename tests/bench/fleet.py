"""What 3,000 tills cost headquarters: poll.py against as many, of which 100 hang; Prometheus; heartbeats a second.

Prometheus (Debian's package) scrapes 3,000 pages a minute, where it is there; docs/hq/heartbeats.py takes heartbeats
over TLS, a connection each, as tills behind routers send them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import trustme

from agent.ports import Json
from agent.services.monitoring.signing import signed
from agent.web.health import health_json
from agent.web.metrics import render
from tests.fakes.agent_with_sandbox import agent_with_sandbox

HQ = Path(__file__).parents[2] / "docs" / "hq"
POLL = HQ / "poll.py"
SECRET = b"a secret of at least thirty-two letters"
TILLS, HANGING = 3000, 100


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
        if shutil.which("prometheus"):
            await prometheus(metrics.encode(), Path(folder))
        await heartbeats(Path(folder))


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def serve(work: Serve) -> asyncio.Server:
    """Open a port."""
    return await asyncio.start_server(work, "127.0.0.1", 0)


def port_of(server: asyncio.Server) -> int:
    """Return it."""
    port: int = server.sockets[0].getsockname()[1]
    return port


async def prometheus(page: bytes, folder: Path) -> None:
    """Let it scrape for two minutes and a half, with the alert rules; tell what it took."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n"

    async def till(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # a connection that Prometheus opened and did not use before its end
            writer.close()
            return
        port = writer.get_extra_info("sockname")[1]
        writer.write(answer + page.replace(b'till="1"', b'till="%d"' % port))
        await writer.drain()
        writer.close()

    servers = [await serve(till) for _ in range(TILLS)]
    targets = [f"127.0.0.1:{port_of(each)}" for each in servers]
    scrape = {"job_name": "ksef-agent", "static_configs": [{"targets": targets}]}
    settings = {
        "global": {"scrape_interval": "60s"},
        "rule_files": [str(HQ / "alerts.yml")],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.json").write_text(json.dumps(settings))
    free = await serve(till)
    address = f"127.0.0.1:{port_of(free)}"
    free.close()
    command = ("prometheus", f"--config.file={folder}/prometheus.json", f"--storage.tsdb.path={folder}/tsdb")
    process = await asyncio.create_subprocess_exec(
        *command, f"--web.listen-address={address}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    await asyncio.sleep(150)
    usage = await asyncio.to_thread(_own_metrics, f"http://{address}/metrics")
    print(
        f"prometheus, {TILLS} tills a minute: {usage['prometheus_tsdb_head_series']:.0f} series, "
        f"{usage['process_resident_memory_bytes'] / 1e6:.0f} MB, "
        f"{usage['process_cpu_seconds_total'] / 150:.2f} of a processor"
    )
    process.terminate()
    await process.wait()
    for server in servers:
        server.close()


def _own_metrics(address: str) -> dict[str, float]:
    with urlopen(address, timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {
        line.split(" ")[0]: float(line.split(" ")[1])
        for line in lines
        if line.startswith(("prometheus_tsdb_head_series ", "process_"))
    }


async def heartbeats(folder: Path) -> None:
    """Send one of each till, twenty at a time, each over a connection of its own."""
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "hq.pem"))
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    files = ("--certificate", str(folder / "hq.pem"), "--key", str(folder / "hq.pem"), "--state", str(folder / "state"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HQ / "heartbeats.py"), "--host", "127.0.0.1", "--port", "0", "--status-port", "0"),
        *files,
        env={**os.environ, "SECRET": SECRET.decode()},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    port = json.loads(await process.stdout.readline())["port"]
    gate = asyncio.Semaphore(20)
    taken: Counter[bytes] = Counter()

    async def beat(number: int) -> None:
        said: dict[str, Json] = {"seller": "ab", "till": str(number), "shop": "7", "process": "p", "sequence": 1}
        said |= {"next_in_seconds": 60, "status": "ok", "unsent": 0, "overdue": 0, "problems": []}
        body, headers = signed(said, SECRET, datetime.now(UTC))
        lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(body))}.items()]
        head = "\r\n".join(("POST / HTTP/1.0", *lines, "", "")).encode()
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname="127.0.0.1")
            writer.write(head + body)
            taken[(await reader.read(200)).split(b" ")[1]] += 1
            writer.close()

    begun = time.monotonic()
    await asyncio.gather(*(beat(number) for number in range(TILLS)))
    took = time.monotonic() - begun
    process.terminate()
    await process.wait()
    print(f"heartbeats.py, over TLS: {TILLS / took:.0f} a second, {dict(taken)}")


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

    servers = [await serve(hanging if number < HANGING else healthy) for number in range(TILLS)]
    lines = "".join(f"http://127.0.0.1:{port_of(each)} kasa {number}\n" for number, each in enumerate(servers))
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
    """Print them all."""
    asyncio.run(measure())
