"""examples/ in the languages that every machine has; the others: tests/generators."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.fakes.broken_line import BadDay, assert_refused, bad_day, run

EXAMPLES = Path(__file__).parents[2] / "examples"
NO_CURL = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
CURL = pytest.param(("sh", str(EXAMPLES / "curl" / "issue.sh")), marks=NO_CURL, id="curl")


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[BadDay]:
    async with bad_day(tmp_path) as found:
        yield found


@pytest.mark.parametrize("command", [CURL, (sys.executable, str(EXAMPLES / "python" / "issue.py"))])
async def test_an_example_issues_once(day: BadDay, command: tuple[str, ...]) -> None:
    await day.assert_issued_once(await run(day.environment, *command))
    await assert_refused(day, *command)


async def test_the_requests_of_an_editor(day: BadDay) -> None:
    """Variables, requests and bodies as editors read .http files."""
    text = (EXAMPLES / "http" / "till.http").read_text("utf-8")
    values = dict(re.findall(r"^@(\w+) = (.*)$", text, re.MULTILINE))
    assert values["api"] == "http://127.0.0.1:8780"
    values |= {"api": day.environment["API"], "token": day.environment["TOKEN"]}
    text = re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)
    statuses, last = [], {}
    day.presses.extend(["other", "other"])  # the line is well
    async with ClientSession() as session:
        for part in re.split(r"^###.*\n", text, flags=re.MULTILINE)[1:]:
            head, _, body = part.strip().partition("\n\n")
            request, *lines = head.splitlines()
            method, url = request.split(" ", 1)
            headers = dict(line.split(": ", 1) for line in lines)
            async with session.request(method, url, headers=headers, data=body.encode() or None) as answer:
                statuses.append(answer.status)
                last = json.loads(await answer.read())
    assert statuses == [201, 200, 200, 200, 422]
    assert last["errors"][0]["code"] == "unknown-vat-rate"


def test_every_example_is_in_the_list() -> None:
    listed = set(re.findall(r"^\| \[([^]]+)\]", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE))
    whole = {each for each in listed if each.endswith("/")}  # folders with a README of their own, or many files
    single = (each for each in EXAMPLES.glob("*/*") if f"{each.parent.name}/" not in whole)
    assert listed == whole | {str(each.relative_to(EXAMPLES)) for each in single}
    assert whole == {"generated/", "odoo_pos/", "woocommerce/"}
