"""docs/architecture.md, "Add a field to an answer of the API", followed step by step in a copy of the sources."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RECIPE = (ROOT / "docs" / "architecture.md").read_text().partition("### Add a field to an answer of the API\n")[2]
STEPS = RECIPE.partition("\nOnly where")[0]
MOST = 5


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1, (file, before)
    file.write_text(text.replace(before, after))


def test_a_field_in_at_most_five_files(tmp_path: Path) -> None:
    named = [path for path in re.findall(r"`([\w/.]+\.(?:py|json|md))`", STEPS) if not path.startswith("tests/")]
    assert len(named) == len(set(named)) == MOST
    for folder in ("agent", "printers", "schemas", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "page", "*.xsd"))
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "api.md", tmp_path / "docs")
    value, answer, description = (tmp_path / path for path in named[:3])
    edit(value, "    hand_over: str\n", '    hand_over: str\n    shelf: str = "A7"\n')
    edit(
        answer,
        "    hand_over: Annotated[",
        '    shelf: Annotated[str, Says(example="A7")]\n    """Where the goods lie."""\n    hand_over: Annotated[',
    )
    edit(
        answer,
        "        hand_over=answer.hand_over,\n",
        "        shelf=answer.shelf,\n        hand_over=answer.hand_over,\n",
    )
    subprocess.run([sys.executable, "-m", "tools.openapi"], cwd=tmp_path, check=True, timeout=60)
    invoice = json.loads(description.read_text())["components"]["schemas"]["Invoice"]
    assert invoice["properties"]["shelf"]["description"] == "Where the goods lie"
    assert '| `shelf` | `"A7"` | Where the goods lie |' in (tmp_path / "docs" / "api.md").read_text()
    assert "shelf" in invoice["required"]
