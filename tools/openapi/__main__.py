"""Write schemas/api (``make openapi``)."""

from __future__ import annotations

from pathlib import Path

from tools.openapi.document import documents

FOLDER = Path(__file__).parents[2] / "schemas" / "api"

for name, text in documents().items():
    (FOLDER / name).write_text(text)
