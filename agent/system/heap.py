"""What malloc holds and nobody uses: 10 MiB of a till's memory after a backlog, in pages between others."""

from __future__ import annotations

import ctypes


def trim() -> None:
    """Give all free pages of the heap back to the kernel (malloc_trim(3)); malloc itself does so at its end alone.

    Takes a millisecond, in which no other thread gets memory. Does nothing where the C library knows no such call.
    """
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)
