"""What the benchmarks say of a run against the stored one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.__main__ import tell
from tests.bench._results import Ratio, read_baseline, regressions, write_baseline


def test_a_ratio_that_is_worse_by_a_third_is_named() -> None:
    found = {"press": Ratio(2.7, 2.0), "list": Ratio(1.25, 1.2), "new": Ratio(9.0, 1.0)}
    assert regressions(found, {"press": 2.0, "list": 1.0}) == ["press: 2.70, was 2.00"]


def test_a_run_that_is_worse_says_so_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell([]) == 0
    assert capsys.readouterr().err == ""
    assert tell(["press: 2.70, was 2.00"]) == 1
    assert capsys.readouterr().err == "WORSE BY MORE THAN 30 %: press: 2.70, was 2.00\n"


def test_a_baseline_is_kept_by_name(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert read_baseline(path) == {}
    write_baseline({"press": Ratio(2.0, 2.0), "list": Ratio(1.0, 1.2)}, "2026-11-28", path)
    write_baseline({"press": Ratio(1.5, 2.0)}, "2026-11-29", path)
    assert read_baseline(path) == {"press": 1.5, "list": 1.0}
