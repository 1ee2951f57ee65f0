"""What a run of the benchmarks found: ratios, told as they come, and compared with those of the stored baseline.

Only ratios are compared, since machines differ: what a figure was measured against was measured in the same run.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")
WORSE = 1.3
"""So many times the baseline's ratio is a regression."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as much something took as what it is measured against."""

    ratio: float
    limit: float
    """What it should not be above."""


FOUND: dict[str, Ratio] = {}
"""By name; of this run."""


def ratio(name: str, value: float, against: float, *, limit: float, unit: str = "") -> None:
    """Note and print one."""
    found = Ratio(round(value / against, 2), limit)
    FOUND[name] = found
    verdict = "" if found.ratio <= limit else f"   above its limit of {limit:g}"
    print(f"{name:44} {value:10.2f} / {against:8.2f} {unit:3} = {found.ratio:6.2f}{verdict}")


def regressions(found: Mapping[str, Ratio], baseline: Mapping[str, float]) -> list[str]:
    """Return a line for each ratio that is worse than WORSE times the baseline's; what is new has none."""
    return [
        f"{name}: {each.ratio:.2f}, was {baseline[name]:.2f}"
        for name, each in found.items()
        if name in baseline and each.ratio > WORSE * baseline[name]
    ]


def read_baseline(path: Path = BASELINE) -> dict[str, float]:
    """Return the stored ratios by name; empty where there are none."""
    if not path.exists():
        return {}
    return {name: float(each["ratio"]) for name, each in json.loads(path.read_text("utf-8"))["ratios"].items()}


def write_baseline(found: Mapping[str, Ratio], day: str, path: Path = BASELINE) -> None:
    """Store what was found in place of the same names; others stay as they were."""
    kept = json.loads(path.read_text("utf-8"))["ratios"] if path.exists() else {}
    ratios = kept | {name: asdict(each) for name, each in found.items()}
    stored = {"day": day, "machine": machine(), "ratios": dict(sorted(ratios.items()))}
    path.write_text(json.dumps(stored, indent=2, ensure_ascii=False) + "\n", "utf-8")


def machine() -> str:
    """Return cores, architecture and Python, and how busy the machine is."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load}"
