"""`make dashboards`: docs/hq/dashboards, three pages of Grafana made of one table: the fleet, one shop, one till.

Each page filters by shop and till and links to the others. The filters act through ksef_agent_build_info, which joins a
series to its till and shop; a test (tests/unit/test_dashboards.py) compares the files with this table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent.parent / "docs" / "hq" / "dashboards"
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
JOINED: Final = "* on (instance) group_left (till, shop) max by (instance, till, shop) (ksef_agent_build_info{chosen})"
CHOSEN: Final = {
    "fleet": '{shop=~"$shop"}',
    "shop": '{shop=~"$shop"}',
    "till": '{shop=~"$shop", till=~"$till"}',
}
GREEN, YELLOW, RED = "green", "yellow", "red"
WIDTH: Final = 24
"""Columns of a page of Grafana."""

Steps = tuple[tuple[float | None, str], ...]
"""From which value on which colour; None: from the beginning."""


@dataclass(frozen=True)
class Panel:
    """``queries``: PromQL with its legend; @ stands for the join that filters."""

    title: str
    kind: str
    queries: tuple[tuple[str, str], ...]
    width: int = 6
    height: int = 4
    unit: str = "short"
    steps: Steps = ((None, GREEN),)
    only: tuple[str, ...] = ("fleet", "shop", "till")
    text: str = ""


BAD_FROM_ONE: Final[Steps] = ((None, GREEN), (1, RED))
PANELS: Final = (
    Panel(
        "Do not answer",
        "stat",
        (('count(up{job="ksef-agent"} == 0) or vector(0)', ""),),
        steps=BAD_FROM_ONE,
        only=("fleet",),
        text="Addresses that Prometheus cannot reach, filters aside: what is off tells no shop.",
    ),
    Panel("Tills by health", "stat", (("sum by (status) (ksef_agent_health_status @)", "{{status}}"),)),
    Panel("Unsent", "stat", (("sum(ksef_agent_queue_unsent_invoices @)", ""),), steps=((None, GREEN), (50, YELLOW))),
    Panel("Overdue", "stat", (("sum(ksef_agent_queue_overdue_invoices @)", ""),), steps=BAD_FROM_ONE),
    Panel("Rejected", "stat", (("sum(ksef_agent_queue_rejected_invoices @)", ""),), steps=BAD_FROM_ONE),
    Panel("In doubt", "stat", (("sum(ksef_agent_queue_in_doubt_invoices @)", ""),), steps=((None, GREEN), (1, YELLOW))),
    Panel(
        "Until the nearest deadline",
        "stat",
        (("min((ksef_agent_queue_next_deadline_timestamp_seconds - time()) @)", ""),),
        unit="s",
        steps=((None, RED), (4 * 3600, YELLOW), (12 * 3600, GREEN)),
    ),
    Panel(
        "Age of the oldest unsent invoice",
        "stat",
        (("max((time() - ksef_agent_queue_oldest_unsent_timestamp_seconds) @)", ""),),
        unit="s",
        steps=((None, GREEN), (3600, YELLOW), (12 * 3600, RED)),
    ),
    Panel(
        "Certificate: nearest end",
        "stat",
        (("min by (use) ((ksef_agent_certificate_expiry_timestamp_seconds - time()) @)", "{{use}}"),),
        unit="s",
        steps=((None, RED), (14 * 86400, YELLOW), (30 * 86400, GREEN)),
    ),
    Panel(
        "Age of the newest copy",
        "stat",
        (("max((time() - ksef_agent_backup_last_timestamp_seconds) @)", ""),),
        unit="s",
        steps=((None, GREEN), (30 * 3600, YELLOW), (48 * 3600, RED)),
    ),
    Panel(
        "Free disk",
        "stat",
        (("min(ksef_agent_disk_free_bytes @)", ""),),
        unit="bytes",
        steps=((None, RED), (200e6, YELLOW), (1e9, GREEN)),
    ),
    Panel(
        "Clock",
        "stat",
        (("max(abs(ksef_agent_clock_skew_seconds) @)", ""),),
        unit="s",
        steps=((None, GREEN), (60, YELLOW), (300, RED)),
    ),
    Panel("Mode of the next press", "timeseries", (("sum by (mode) (ksef_agent_mode @)", "{{mode}}"),), 12, 8),
    Panel(
        "Invoices a minute",
        "timeseries",
        (("sum by (mode) (rate(ksef_agent_invoices_issued_total[5m]) @) * 60", "{{mode}}"),),
        12,
        8,
    ),
    Panel(
        "Press to answer, 50th and 99th percentile",
        "timeseries",
        tuple(
            (f"histogram_quantile({part}, sum by (le) (rate(ksef_agent_press_duration_seconds_bucket[5m]) @))", part)
            for part in ("0.5", "0.99")
        ),
        12,
        8,
        "s",
        ((None, GREEN), (3, YELLOW), (5, RED)),
    ),
    Panel(
        "Calls to KSeF a minute by outcome",
        "timeseries",
        (("sum by (outcome) (rate(ksef_agent_ksef_calls_total[5m]) @) * 60", "{{outcome}}"),),
        12,
        8,
    ),
    Panel(
        "Share of the hour's single sends left",
        "timeseries",
        (
            (
                "min by (till) ((ksef_agent_rate_limit_calls_left{group='invoiceSend', window='hour'} "
                "/ ksef_agent_rate_limit_calls_allowed{group='invoiceSend', window='hour'}) @)",
                "{{till}}",
            ),
        ),
        12,
        8,
        "percentunit",
        ((None, RED), (0.1, YELLOW), (0.3, GREEN)),
        ("shop", "till"),
    ),
    Panel(
        "Calls to KSeF, 95th percentile by endpoint",
        "timeseries",
        (
            (
                "histogram_quantile(0.95, sum by (le, endpoint) "
                "(rate(ksef_agent_ksef_call_duration_seconds_bucket[5m]) @))",
                "{{endpoint}}",
            ),
        ),
        12,
        8,
        "s",
        only=("till",),
    ),
    Panel(
        "Memory of the program",
        "timeseries",
        (("process_resident_memory_bytes @", "{{till}}"),),
        12,
        8,
        "bytes",
        only=("till",),
    ),
    Panel(
        "What waits for paper", "timeseries", (("sum by (state) (ksef_agent_print_queue_jobs @)", "{{state}}"),), 12, 8
    ),
    Panel(
        "Open problems",
        "table",
        (("sum by (shop, till, code, severity) (ksef_agent_problems @)", ""),),
        12,
        9,
        steps=BAD_FROM_ONE,
    ),
    Panel(
        "Longest queues",
        "table",
        (("topk(20, (ksef_agent_queue_unsent_invoices > 0) @)", ""),),
        12,
        9,
        only=("fleet", "shop"),
    ),
    Panel("Printers that do not print", "table", (("((ksef_agent_printer_online == 0) + 1) @", ""),), 12, 9),
    Panel(
        "Tills by version",
        "table",
        (("count by (version) (ksef_agent_build_info{shop=~'$shop'})", ""),),
        12,
        9,
        only=("fleet",),
    ),
    Panel(
        "Certificates that could not be renewed",
        "table",
        (("(ksef_agent_certificate_renewal_failed == 1) @", ""),),
        12,
        9,
    ),
)
TITLES: Final = {"fleet": "KSeF: the fleet", "shop": "KSeF: one shop", "till": "KSeF: one till"}


def page(kind: str) -> dict[str, Any]:
    """Return one page as Grafana imports it (schema 39: Grafana 10.3 and later)."""
    panels = [panel for panel in PANELS if kind in panel.only]
    return {
        "title": TITLES[kind],
        "uid": f"ksef-agent-{kind}",
        "tags": ["ksef-agent"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "Europe/Warsaw",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "links": [_link(other) for other in TITLES if other != kind],
        "templating": {"list": _filters(kind)},
        "annotations": {"list": []},
        "panels": list(_placed(panels, kind)),
    }


def _link(kind: str) -> dict[str, Any]:
    return {
        "type": "link",
        "title": TITLES[kind],
        "url": f"/d/ksef-agent-{kind}",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def _filters(kind: str) -> list[dict[str, Any]]:
    of_shops = "label_values(ksef_agent_build_info, shop)"
    of_tills = 'label_values(ksef_agent_build_info{shop=~"$shop"}, till)'
    found: list[dict[str, Any]] = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
        _filter("shop", "Shop", of_shops, several=kind != "shop"),
    ]
    if kind == "till":
        found.append(_filter("till", "Till", of_tills, several=False))
    return found


def _filter(name: str, label: str, query: str, *, several: bool) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 3,
        "multi": several,
        "includeAll": several,
        "allValue": ".*",
    }


def _placed(panels: list[Panel], kind: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    x = y = height = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > WIDTH:
            x, y, height = 0, y + height, 0
        made.append(_panel(panel, kind, number) | {"gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}})
        x, height = x + panel.width, max(height, panel.height)
    return made


def _panel(panel: Panel, kind: str, number: int) -> dict[str, Any]:
    table = panel.kind == "table"
    joined = JOINED.replace("{chosen}", CHOSEN[kind])
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": SOURCE,
            "expr": query.replace(" @", f" {joined}"),
            "legendFormat": legend or "__auto",
            "instant": table,
            "range": not table,
            "format": "table" if table else "time_series",
        }
        for index, (query, legend) in enumerate(panel.queries)
    ]
    steps = [{"value": value, "color": colour} for value, colour in panel.steps]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if table:
        till = "/d/ksef-agent-till?var-shop=${__data.fields.shop}&var-till=${__data.fields.till}"
        defaults["links"] = [{"title": "This till", "url": till, "targetBlank": False}]
    elif panel.kind == "stat":
        defaults["color"] = {"mode": "thresholds"}
    elif len(panel.steps) > 1:
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "id": number,
        "title": panel.title,
        "description": panel.text,
        "type": panel.kind,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
    }


def text(kind: str) -> str:
    """Return the file of a page."""
    return json.dumps(page(kind), ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write all."""
    FOLDER.mkdir(exist_ok=True)
    for kind in TITLES:
        (FOLDER / f"{kind}.json").write_text(text(kind), "utf-8")


if __name__ == "__main__":
    main()
