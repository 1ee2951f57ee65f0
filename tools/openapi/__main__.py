"""Write schemas/api and the tables of docs/api.md (``make openapi``)."""

from __future__ import annotations

from pathlib import Path

from tools.openapi.document import documents, openapi
from tools.openapi.fields import written_into

FOLDER = Path(__file__).parents[2] / "schemas" / "api"

DOCUMENT = FOLDER.parents[1] / "docs" / "api.md"

for name, text in documents().items():
    (FOLDER / name).write_text(text)
DOCUMENT.write_text(written_into(DOCUMENT.read_text(), openapi()))
