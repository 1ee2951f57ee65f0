"""Generators of clients read schemas/api/openapi.json; what they make compiles, and issues an invoice."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from agent.domain.callers import Role
from agent.ports import InvoiceFilter
from agent.services.tokens import Tokens
from tests.fakes.served import till_http
from tests.fakes.world import World, world

ROOT = Path(__file__).parents[2]
OPENAPI = ROOT / "schemas" / "api" / "openapi.json"
EXAMPLES = ROOT / "examples" / "generated"
PYTHON_SETTINGS = EXAMPLES / "openapi-python-client.yaml"
NODE = {
    "openapi-typescript": ("openapi-typescript", str(OPENAPI), "-o", "generated/till.d.ts"),
    "hey-api": ("openapi-ts", "-i", str(OPENAPI)),
    "orval": ("orval", "--input", str(OPENAPI), "--output", "generated/orval.ts", "--client", "fetch"),
}
TYPESCRIPT = {
    "compilerOptions": {
        "target": "ES2022",
        "module": "NodeNext",
        "strict": True,
        "outDir": "js",
        "lib": ["ES2022", "DOM", "DOM.Iterable"],
        "types": ["node"],
    },
    "include": ["*.ts"],
}


async def run(*command: str, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run to the end; return what was written, or fail with it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=os.environ | (env or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(300):
        out, _ = await process.communicate()
    text = out.decode()
    assert process.returncode == 0, text
    return text


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[World, dict[str, str]]]:
    """An agent, and how a program finds it."""
    tokens = Tokens.in_directory(tmp_path)
    token = tokens.add("kasa 1", Role.CASHIER)
    async with world(tmp_path / "data") as place, TestServer(till_http(place, tokens)) as server:
        yield place, {"API": str(server.make_url("")).rstrip("/"), "TOKEN": token}


async def assert_issued(place: World, said: str) -> None:
    (record,) = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
    assert record.external_ref == "order-4711"
    assert record.number in said


async def test_openapi_python_client(tools: Path, served: tuple[World, dict[str, str]], tmp_path: Path) -> None:
    place, env = served
    programs = tools / "venv" / "bin"
    env |= {"PATH": f"{programs}:{os.environ['PATH']}"}
    generate = ("generate", "--path", str(OPENAPI), "--config", str(PYTHON_SETTINGS), "--meta", "none")
    said = await run("openapi-python-client", *generate, "--output-path", "ksef_agent_client", cwd=tmp_path, env=env)
    assert "arning" not in said
    shutil.copy(EXAMPLES / "issue.py", tmp_path)
    await run("mypy", "--strict", "issue.py", cwd=tmp_path, env=env)
    await assert_issued(place, await run("python", "issue.py", cwd=tmp_path, env=env))


@pytest.mark.parametrize("generator", NODE)
async def test_generators_for_typescript(
    tools: Path, served: tuple[World, dict[str, str]], tmp_path: Path, generator: str
) -> None:
    place, env = served
    modules = tools / "node_modules"
    shutil.copy(tools / "package.json", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "tsconfig.json").write_text(json.dumps(TYPESCRIPT))
    shutil.copy(EXAMPLES / "openapi-ts.config.mjs", tmp_path)
    program, *words = NODE[generator]
    await run(str(modules / ".bin" / program), *words, cwd=tmp_path)
    shutil.copy(EXAMPLES / f"{generator}.ts", tmp_path)
    await run(str(modules / ".bin" / "tsc"), "-p", ".", cwd=tmp_path)
    await assert_issued(place, await run("node", f"js/{generator}.js", cwd=tmp_path, env=env))


async def test_spectral_has_nothing_to_say(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    spectral = str(tools / "node_modules" / ".bin" / "spectral")
    said = await run(spectral, "lint", "--ruleset", "rules.yaml", "--fail-severity", "hint", str(OPENAPI), cwd=tmp_path)
    assert "No results with a severity of 'hint' or higher found!" in said


async def test_redocly_has_nothing_to_say(tools: Path, tmp_path: Path) -> None:
    redocly = str(tools / "node_modules" / ".bin" / "redocly")
    env = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    said = await run(redocly, "lint", "--extends", "recommended-strict", str(OPENAPI), cwd=tmp_path, env=env)
    assert "Your API description is valid" in said
    assert not re.search(r"\d+ (warning|problem)", said), said


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_a_stranger_issues_an_invoice_in_five_commands() -> None:
    """docs/api.md, "Five commands to the first invoice", word for word but for the port."""
    text = (ROOT / "docs" / "api.md").read_text()
    (block,) = re.findall(r"^## Five commands.*?^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    start, export, *rest = re.sub(r"\\\n\s*", "", block).splitlines()
    assert len(rest) == 3
    assert re.fullmatch(r"export API=\S+ TOKEN=…", export)
    port = _free_port()
    agent = await asyncio.create_subprocess_shell(
        f"exec {start} PORT={port}", cwd=ROOT, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        assert agent.stdout is not None
        printed = b""
        async with asyncio.timeout(120):
            while b"export API=" not in printed:
                printed = await agent.stdout.readline()
                assert printed, "it ended"
        assert f":{port} " in printed.decode()
        said = await run("bash", "-euc", "\n".join([printed.decode().strip(), *rest]), cwd=ROOT)
    finally:
        os.killpg(agent.pid, signal.SIGTERM)
        await agent.wait()
    assert re.search(r"^\S+/000001 online ", said, re.MULTILINE), said
