"""Which long run proves which row of the goal table, and how much of it makes a night and a release."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row, or a part of it.

    ``night``, ``release``: how many seeds; None: the whole test is one piece of work, whatever its cases.
    """

    name: str
    row: str
    tests: str
    invariants: str
    night: int | None = None
    release: int | None = None
    piece: int = 25
    """Seeds of one run of pytest, after which the result is kept."""
    needs: str = ""


CAMPAIGNS = (
    Campaign("ports", "kill -9 at ports", "tests/crash/test_port_points.py", "I1-I4 I6-I10"),
    Campaign("ports-drop-folder", "kill -9 at ports", "tests/crash/test_drop_folder.py", "I1 I2 I6"),
    Campaign(
        "syscalls",
        "kill -9 at system calls",
        "tests/crash/test_store_kill.py::test_killed_at_every_system_call",
        "I1-I4 I9",
    ),
    Campaign(
        "random-store",
        "kill -9 at random",
        "tests/crash/test_store_kill.py::test_killed_at_random_moments_for_long",
        "I1 I4 I9",
        20,
        200,
        5,
    ),
    Campaign(
        "random-agent", "kill -9 at random", "tests/crash/test_kill.py::test_killed_twenty_five_times", "all", 4, 400, 1
    ),
    Campaign("power-store", "power cut, replayed", "tests/crash/test_powerloss.py", "I1 I3 I4 I7 I9"),
    Campaign("power-agent", "power cut, replayed", "tests/crash/test_powerloss_agent.py", "I1 I3 I4 I7 I9"),
    Campaign("power-commands", "power cut, replayed", "tests/crash/test_powerloss_commands.py", "I1 I4 I9"),
    Campaign(
        "power-disk",
        "power cut, real file system",
        "tests/crash/test_powerloss_disk.py",
        "I1 I3 I4 I9",
        needs="root, loop devices",
    ),
    Campaign("disk-faults", "disk that fails", "tests/crash/test_disk_faults.py", "I1 I4 I9"),
    Campaign("disk-full", "disk full", "tests/crash/test_store_full_disk.py", "I1 I4"),
    Campaign("network", "network", "tests/integration/test_fault_matrix.py", "I1 I2 I10"),
    Campaign("habits", "awkward KSeF", "tests/integration/test_live_habits.py", "I1 I2"),
    Campaign("clock", "clock", "tests/integration/test_set_clock.py", "I5", needs="libfaketime"),
    Campaign("deadlines", "announcements", "tests/sim/test_year.py::test_many_years", "I5 I8", 300, 10_000, 100),
    Campaign("cashiers", "cashiers", "tests/integration/test_end_to_end.py", "I1 I4 I6"),
    Campaign("backlog", "backlog", "tests/integration/test_backlog.py", "I1 I2"),
    Campaign("search", "stateful search", "tests/unit/store/test_model.py", "all"),
    Campaign("simulation", "simulation", "tests/sim/test_agent_sim.py::test_many_months", "all", 200, 10_000, 10),
    Campaign(
        "damage",
        "disk that lies",
        "tests/unit/store/test_damage.py::test_random_damage_for_long",
        "I9",
        500,
        5_000,
        100,
    ),
    Campaign(
        "upgrade", "upgrade", "tests/crash/test_powerloss.py::test_a_kill_at_every_write_of_each_upgrade", "I1 I7 I9"
    ),
)
