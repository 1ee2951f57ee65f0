"""KSeF till agent: a legally right invoice on the counter at once, in KSeF by its deadline, once."""

from __future__ import annotations

__version__ = "0.2.0"
