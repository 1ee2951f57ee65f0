"""Which long run proves which row of the goal table, and how much of it makes a night and a release."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row, or a part of it.

    ``night``, ``release``: how many seeds; None: each case of the tests once.
    """

    name: str
    row: str
    tests: str
    invariants: str
    night: int | None = None
    release: int | None = None
    piece: int = 25
    """Seeds or cases of one run of pytest, after which the result is kept."""
    needs: tuple[str, ...] = ()
    """Names in ``MEANS``: without them the campaign is not run, and says so."""


MEANS: dict[str, Callable[[], bool]] = {
    "root": lambda: os.geteuid() == 0,
    "loop devices": lambda: Path("/dev/loop-control").exists(),
    "mkfs.ext4": lambda: shutil.which("mkfs.ext4") is not None,
    "mkfs.xfs": lambda: shutil.which("mkfs.xfs") is not None,
    "strace": lambda: shutil.which("strace") is not None,
    "PostgreSQL": lambda: (
        any(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or shutil.which("postgres") is not None
    ),
    "libfaketime": lambda: any(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1")),
}
"""What a machine may lack -> whether this one has it."""


def missing(campaign: Campaign) -> list[str]:
    """Return the means that this machine lacks."""
    return [name for name in campaign.needs if not MEANS[name]()]


CAMPAIGNS = (
    Campaign(
        "ports",
        "kill -9 at ports",
        "tests/crash/test_port_points.py::test_death_at_every_port_call",
        "I1-I4 I6-I10",
        piece=1,
    ),
    Campaign(
        "ports-processes",
        "kill -9 at ports",
        "tests/crash/test_port_kill.py",
        "I1-I4 I6-I9",
        night=3,
        release=30,
        piece=1,
    ),
    Campaign(
        "printers",
        "printer",
        "tests/crash/test_port_points.py::test_death_while_the_printer_fails",
        "I3 I10",
        piece=2,
    ),
    Campaign(
        "printers-drawn",
        "printer",
        "tests/crash/test_printer_faults.py",
        "I3 I10",
        night=50,
        release=1_000,
    ),
    Campaign("ports-drop-folder", "kill -9 at ports", "tests/crash/test_drop_folder.py", "I1 I2 I6"),
    Campaign(
        "syscalls",
        "kill -9 at system calls",
        "tests/crash/test_store_kill.py::test_killed_at_every_system_call",
        "I1-I4 I9",
        needs=("strace",),
    ),
    Campaign(
        "random-store",
        "kill -9 at random",
        "tests/crash/test_store_kill.py::test_killed_at_random_moments_for_long",
        "I1 I4 I9",
        night=20,
        release=200,
        piece=1,
    ),
    Campaign(
        "random-agent",
        "kill -9 at random",
        "tests/crash/test_kill.py::test_killed_twenty_five_times",
        "all",
        night=4,
        release=400,
        piece=1,
    ),
    Campaign(
        "chain",
        "kill -9 in a chain",
        "tests/crash/test_hub_kill.py::test_fifty_tills_press_a_thousand_times_under_fifty_faults",
        "all",
        night=10,
        release=100,
        piece=1,
        needs=("PostgreSQL",),
    ),
    Campaign(
        "power-store",
        "power cut, replayed",
        "tests/crash/test_powerloss.py::test_power_cuts_for_long",
        "I1 I3 I4 I7 I9",
        night=20,
        release=200,
        piece=1,
        needs=("strace",),
    ),
    Campaign(
        "power-upgrade",
        "power cut, replayed",
        "tests/crash/test_powerloss.py::test_power_cuts_during_each_upgrade",
        "I1 I3 I4 I7 I9",
        piece=4,
        needs=("strace",),
    ),
    Campaign(
        "power-agent",
        "power cut, replayed",
        "tests/crash/test_powerloss_agent.py",
        "I1 I3 I4 I7 I9",
        piece=1,
        needs=("strace",),
    ),
    Campaign(
        "power-commands",
        "power cut, replayed",
        "tests/crash/test_powerloss_commands.py",
        "I1 I4 I9",
        needs=("strace",),
    ),
    Campaign(
        "power-ext4",
        "power cut, real file system",
        "tests/crash/test_powerloss_real.py::test_ext4",
        "I1 I3 I4 I9",
        night=100,
        release=1_000,
        piece=20,
        needs=("root", "loop devices", "mkfs.ext4"),
    ),
    Campaign(
        "power-xfs",
        "power cut, real file system",
        "tests/crash/test_powerloss_real.py::test_xfs",
        "I1 I3 I4 I9",
        night=20,
        release=200,
        piece=10,
        needs=("root", "loop devices", "mkfs.xfs"),
    ),
    Campaign(
        "lying-disk",
        "disk that lies",
        "tests/crash/test_powerloss.py::test_a_disk_that_lies_about_fsync_loses_commits",
        "I9",
        needs=("strace",),
    ),
    Campaign(
        "lying-disk-drawn",
        "disk that lies",
        "tests/crash/test_powerloss_lies.py",
        "I9",
        night=20,
        release=100,
        piece=2,
        needs=("strace",),
    ),
    Campaign(
        "damage",
        "disk that lies",
        "tests/unit/store/test_damage.py::test_random_damage_for_long",
        "I9",
        night=500,
        release=5_000,
        piece=100,
    ),
    Campaign(
        "disk-faults",
        "disk that fails",
        "tests/crash/test_disk_faults.py",
        "I1 I4 I9",
        piece=20,
        needs=("strace",),
    ),
    Campaign("disk-full", "disk full", "tests/crash/test_store_full_disk.py", "I1 I4"),
    Campaign(
        "network",
        "network",
        "tests/integration/test_fault_matrix.py::test_every_fault_at_every_call",
        "I1 I2 I10",
        piece=5,
    ),
    Campaign(
        "network-orders",
        "network",
        "tests/integration/test_fault_matrix.py::test_every_fault_in_another_order",
        "I1 I2 I10",
        night=3,
        release=30,
        piece=1,
    ),
    Campaign("habits", "awkward KSeF", "tests/integration/test_live_habits.py", "I1 I2"),
    Campaign(
        "habits-mixed",
        "awkward KSeF",
        "tests/integration/test_habit_mixes.py",
        "I1 I2 I6",
        night=500,
        release=5_000,
        piece=50,
    ),
    Campaign(
        "recovery-mixed",
        "awkward KSeF",
        "tests/integration/test_recovery_mixes.py",
        "I6",
        night=50,
        release=500,
        piece=10,
    ),
    Campaign("clock", "clock", "tests/integration/test_set_clock.py", "I5", piece=1, needs=("libfaketime",)),
    Campaign(
        "clock-steps",
        "clock",
        "tests/unit/outages/test_clock_steps.py::test_no_invoice_bears_a_wrong_date",
        "I5",
        night=10,
        release=100,
        piece=1,
    ),
    Campaign("deadlines", "clock", "tests/unit/outages/test_deadlines.py", "I5", night=10, release=100, piece=1),
    Campaign(
        "announcements",
        "announcements",
        "tests/sim/test_year.py::test_many_years",
        "I5 I8",
        night=300,
        release=10_000,
        piece=50,
    ),
    Campaign(
        "cashiers",
        "cashiers",
        "tests/crash/test_cashiers.py",
        "I1 I4 I6",
        night=100,
        release=400,
        piece=1,
    ),
    Campaign("cashiers-papers", "cashiers", "tests/integration/test_end_to_end.py", "I1 I4 I6", piece=1),
    Campaign("soak", "soak", "tests/crash/test_soak.py", "I11", night=12, release=288, piece=1),
    Campaign("backlog", "backlog", "tests/integration/test_backlog.py", "I1 I2", piece=1),
    Campaign(
        "backlog-disturbed",
        "backlog",
        "tests/integration/test_backlog_faults.py::test_a_disturbed_recovery",
        "I1 I2 I7",
        night=10,
        release=50,
        piece=1,
    ),
    Campaign(
        "backlog-ten-thousand",
        "backlog",
        "tests/integration/test_backlog_faults.py::test_a_disturbed_recovery_of_ten_thousand",
        "I1 I2 I7",
        night=1,
        release=5,
        piece=1,
    ),
    Campaign("search", "stateful search", "tests/unit/store/test_model.py", "all", night=5, release=20, piece=1),
    Campaign(
        "simulation",
        "simulation",
        "tests/sim/test_agent_sim.py::test_many_months",
        "all",
        night=200,
        release=10_000,
        piece=5,
    ),
    Campaign(
        "upgrade",
        "upgrade",
        "tests/crash/test_powerloss.py::test_a_kill_at_every_write_of_each_upgrade",
        "I1 I7 I9",
        piece=8,
        needs=("strace",),
    ),
)
