"""examples/ in the languages that a till's machine need not have: PHP, TypeScript, C#."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.broken_line import BadDay, assert_refused, bad_day, run
from tests.generators.test_generated import TYPESCRIPT

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[BadDay]:
    async with bad_day(tmp_path) as found:
        yield found


async def test_php(day: BadDay) -> None:
    command = ("php", str(EXAMPLES / "php" / "issue.php"))
    await day.assert_issued_once(await run(day.environment, *command))
    await assert_refused(day, *command)


async def test_typescript(tools: Path, day: BadDay, tmp_path: Path) -> None:
    modules = tools / "node_modules"
    shutil.copy(tools / "package.json", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "tsconfig.json").write_text(json.dumps(TYPESCRIPT))
    shutil.copy(EXAMPLES / "typescript" / "issue.ts", tmp_path)
    await run(day.environment, str(modules / ".bin" / "tsc"), "-p", ".", cwd=tmp_path)
    command = ("node", str(tmp_path / "js" / "issue.js"))
    await day.assert_issued_once(await run(day.environment, *command))
    await assert_refused(day, *command)


async def test_csharp(day: BadDay, tmp_path: Path) -> None:
    """By Mono's compiler and runtime: the .NET SDK is in no registry of Debian's."""
    program = str(tmp_path / "issue.exe")
    libraries = "-r:System.Net.Http,System.Runtime.Serialization"
    source = str(EXAMPLES / "csharp" / "Issue.cs")
    await run(day.environment, "mcs", "-warnaserror", libraries, f"-out:{program}", source)
    await day.assert_issued_once(await run(day.environment, "mono", program))
    await assert_refused(day, "mono", program)
