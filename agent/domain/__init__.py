"""The rules: pure functions and values. No I/O, no clock reads, no asyncio."""
