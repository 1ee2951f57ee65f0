"""docs/api.md and the tables of problem codes against the code; its examples run."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from agent.domain.callers import Role
from agent.domain.errors import BadInput, Conflict, NotFound, Refused, Unavailable
from agent.domain.lifecycle import HeldState, InvoiceState, PrintState
from agent.domain.paper.choice import Document
from agent.ports import InvoiceFilter
from agent.services.tokens import Tokens
from agent.web.api import routes
from agent.web.problem_codes import FIELD_CODES, PROBLEMS
from agent.web.problems import STATUS_OF_CODE, status_of
from tests.fakes.served import till_http
from tests.fakes.world import World, world
from tools.openapi.document import openapi
from tools.openapi.fields import written_into

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "api.md").read_text()
REFUSALS = {"Refused", "BadInput", "KeyReused", "NotFound", "NotPermitted", "Conflict", "Unavailable"}
NOT_OVER_HTTP = {
    "already-running",
    "backup-failed",
    "export-missing",
    "file-exists",
    "ksef-refused",
    "no-cli-token",
    "no-database",
    "not-a-zip",
    "not-exported",
    "not-writable",
    "not-written",
    "token-name-taken",
    "token-name-unknown",
    "token-taken",
}
"""Codes of commands and of start, which no route can raise."""


def _constants(part: ast.expr) -> Iterator[str]:
    for inner in ast.walk(part):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _codes_of(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in REFUSALS:
        for keyword in call.keywords:
            if keyword.arg == "code":
                yield from _constants(keyword.value)
    if name == "FieldError" and len(call.args) > 2:
        yield from _constants(call.args[2])
    if name in {"note", "note_all"} and call.args:
        yield from _constants(call.args[-1])
    if name == "_refuse" and len(call.args) > 1:
        yield from _constants(call.args[1])


def codes_in_use() -> set[str]:
    """Codes written in the sources that a route can reach."""
    found: set[str] = set()
    for folder in ("web", "services", "domain", "store"):
        for file in (ROOT / "agent" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    found.update(_codes_of(node))
    return {code for code in found if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)}


def test_every_code_in_use_is_listed() -> None:
    used = codes_in_use()
    assert len(used) > 50
    unlisted = used - NOT_OVER_HTTP - set(PROBLEMS) - set(FIELD_CODES)
    assert unlisted == set(), "add them to agent/web/problem_codes.py and to the tables of docs/api.md"


def test_document_lists_every_code_as_it_is() -> None:
    problems = TEXT[TEXT.index("\n## Problems\n") :]
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", problems, re.MULTILINE))
    assert rows == {code: f"{kind.status} | {kind.title}" for code, kind in PROBLEMS.items()} | FIELD_CODES


def test_listed_status_is_the_one_answered() -> None:
    for code, kind in PROBLEMS.items():
        assert STATUS_OF_CODE.get(code, kind.status) == kind.status, code
    for error in (NotFound("x"), Conflict("x"), Unavailable("x"), Refused("x"), BadInput("x")):
        assert status_of(error) == PROBLEMS[error.code].status
    assert {400, 401, 403, 404, 409, 413, 415, 421, 422, 500, 503, 507} <= {kind.status for kind in PROBLEMS.values()}


def test_document_has_every_field_as_the_description_says_it() -> None:
    assert written_into(TEXT, openapi()) == TEXT, "make openapi"


def test_document_tells_every_state_and_paper() -> None:
    (said,) = re.findall(r"^## States and papers.*?(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    words = {word for line in said.splitlines() for word in re.findall(r"`([a-z_]+)`", line)}
    assert {*InvoiceState, *PrintState, *HeldState, *Document} <= words


def test_document_names_every_route() -> None:
    """Whole paths, or the tail of an invoice's route."""
    for route in routes():
        tail = route.path.removeprefix("/v1/invoices/{id}")
        assert (tail or route.path) in TEXT, route.path


# --- the examples run -----------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[World, dict[str, str]]]:
    tokens = Tokens.in_directory(tmp_path)
    token = tokens.add("kasa 1", Role.CASHIER)
    async with world(tmp_path / "data") as place, TestServer(till_http(place, tokens)) as server:
        address = str(server.make_url("")).rstrip("/")
        yield place, {"API": address, "TOKEN": token, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


async def run(environment: dict[str, str], *command: str) -> str:
    """Run a program to its end; its output."""
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode == 0, out.decode() + error.decode()
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
async def test_curl_examples(served: tuple[World, dict[str, str]]) -> None:
    _, environment = served
    five, setup, *examples = blocks("sh")
    assert five.startswith("make run\n"), "tests/generators runs these"
    assert setup.startswith("API=http://127.0.0.1:8780")
    assert len(examples) == 4
    issue, follow, search, correct = examples
    made = json.loads(await run(environment, "sh", "-euc", issue))
    assert made["totals"]["gross"] == "129.80"
    again = json.loads(await run(environment, "sh", "-euc", issue))
    assert again["id"] == made["id"]
    assert await run(environment, "sh", "-euc", follow) == f"accepted {made['ksef_number']}\n"
    assert [each["id"] for each in json.loads(await run(environment, "sh", "-euc", search))["invoices"]] == [made["id"]]
    corrected = json.loads(await run(environment, "sh", "-euc", correct))
    assert corrected["corrects"] == made["id"]


async def test_python_example(served: tuple[World, dict[str, str]]) -> None:
    place, environment = served
    (program,) = blocks("python")
    output = await run(environment, sys.executable, "-c", program)
    # a consumer's invoice leaves as an offline one (docs/decisions.md, number 122)
    assert output == "FV-1/2026/11/000001 offline24 Wydaj klientowi fakturę.\n"
    assert len(await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))) == 1


# --- the operator's sheet -------------------------------------------------------------------------------

SHEET = (ROOT / "docs" / "operator.md").read_text()
BUTTONS = (
    "Faktura",
    "Osoba",
    "Drukuj ponownie",
    "Drukuj teraz",
    "Ponów",
    "Zwrot lub korekta",
    "Zwrot towaru",
    "Zwrot całości",
    "Inna cena",
    "Zły nabywca",
    "Wyślij teraz",
    "Tryb offline24",
    "Brak odpowiedzi programu",
    "Brak połączenia z programem",
)


def test_sheet_speaks_the_page_s_words() -> None:
    """Every button and banner the sheet names is on the page, and the sheet leaves none of these out."""
    files = (ROOT / "agent" / "web" / "page").rglob("*")
    page = "".join(file.read_text() for file in files if file.suffix in {".html", ".js"})
    for words in BUTTONS:
        assert words in SHEET, words
        assert words in page, words
    keys = re.findall(r"\bF\d+\b", "".join(line for line in SHEET.splitlines(keepends=True) if line.startswith("| F")))
    for key in keys:
        assert f'["{key}", ' in page, "F1 shows every key"
    assert len(SHEET.split()) < 900  # two pages
