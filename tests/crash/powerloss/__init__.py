"""What a power cut may leave of the agent's data, replayed (docs/reliability.md, section 3).

How it works
    trace.py      runs a program under strace and keeps every call that changes its files, with the data written
    disk.py       replays the calls; at any moment it knows what is durable and what a power cut may still lose,
                  reorder or tear at sectors of 512 bytes, and builds such states as files
    scenario.py   the program: the real store over aiosqlite; it says on stdout what it has promised
    checker.py    opens a state with the production settings, reads it with SQL of its own, compares with the promises
    campaign.py   all of it together: so many states, from a seed, with counts
    older.py      databases of older schemas, for upgrades

Two models. POSIX: every name, size and sector that no completed fsync covers is there or not, in any order. ext4
(data=ordered): names and truncations survive in order, a longer file has the data of its new part, sectors that are
overwritten survive in any order. A sector always holds what the file had there at one moment; it is never mixed.

By hand: ``python -m tests.crash.powerloss --states 200000 --seed 7``; nightly runs it so.

What it cannot show: a disk that lies about fsync (only what the damage would look like: ``--lying``), firmware that
loses sectors it acknowledged long ago, and whatever -shm held, which is not durable and never used after a start.
"""
