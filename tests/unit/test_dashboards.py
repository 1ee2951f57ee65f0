"""docs/hq/dashboards: as their table says, of metrics that exist, with filters, thresholds and links."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import dashboards

FOLDER = Path(__file__).parents[2] / "docs" / "hq" / "dashboards"
KINDS = tuple(dashboards.TITLES)


def read(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{kind}.json").read_text("utf-8"))
    return found


def queries(page: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in page["panels"] for target in panel["targets"]]


def test_the_files_are_what_the_table_makes() -> None:
    """make dashboards writes them."""
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(KINDS)
    for kind in KINDS:
        assert (FOLDER / f"{kind}.json").read_text("utf-8") == dashboards.text(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_can_be_imported(kind: str) -> None:
    """What Grafana's schema 39 asks of a dashboard: ids and refIds once, panels in 24 columns that do not overlap."""
    page = read(kind)
    assert page["uid"] == f"ksef-agent-{kind}"
    assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])
    cells: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        place = panel["gridPos"]
        assert panel["type"] in {"stat", "timeseries", "table"}
        assert place["x"] + place["w"] <= 24
        mine = {(x + place["x"], y + place["y"]) for x in range(place["w"]) for y in range(place["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@pytest.mark.parametrize("kind", KINDS)
def test_filters_thresholds_links(kind: str) -> None:
    page = read(kind)
    filters = {each["name"] for each in page["templating"]["list"]}
    assert filters == {"datasource", "shop", *(["till"] if kind == "till" else [])}
    used = set(re.findall(r"\$(\w+)", " ".join(queries(page))))
    assert used == filters - {"datasource"}
    free = {"Do not answer"}
    for panel in page["panels"]:
        for target in panel["targets"]:
            assert "$shop" in target["expr"] or panel["title"] in free, panel["title"]
    steps = [panel["fieldConfig"]["defaults"]["thresholds"]["steps"] for panel in page["panels"]]
    for each in steps:
        values = [step["value"] for step in each]
        assert values[0] is None
        assert values[1:] == sorted(values[1:])
    assert sum(len(each) > 1 for each in steps) > 8
    others = {f"/d/ksef-agent-{other}" for other in KINDS if other != kind}
    assert {link["url"] for link in page["links"]} == others
    tables = [panel for panel in page["panels"] if panel["type"] == "table"]
    assert all("ksef-agent-till" in panel["fieldConfig"]["defaults"]["links"][0]["url"] for panel in tables)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Debian's prometheus")
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    every = [query for kind in KINDS for query in queries(read(kind))]
    rules = [{"record": f"q:{number}", "expr": query} for number, query in enumerate(every)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))  # JSON is YAML
    done = subprocess.run(("promtool", "check", "rules", file), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
