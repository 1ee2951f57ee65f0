"""Many rows, read a page at a time: others get their turn in between, and memory holds one page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def pages(read: Callable[[T | None], Awaitable[list[T]]], size: int) -> AsyncIterator[list[T]]:
    """Yield pages of ``size``, the last one shorter; ``read`` returns what follows a row, None: from the first one."""
    page: list[T] | None = None
    while page is None or len(page) == size:
        page = await read(page[-1] if page else None)
        yield page
