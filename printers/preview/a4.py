"""An invoice on A4 as PDF/A-3: columns, a table of lines whose header stands on every page, page feet, the XML inside.

Laid out by reportlab's platypus. Real text in embedded fonts, codes as vector, the same bytes for the same sheet.
"""

from __future__ import annotations

from agent.domain.paper.sheet import Sheet
from printers.escpos.charset import clean
from printers.preview.archival import archival
from printers.preview.drawing import reportlab
from printers.preview.flow import flow
from printers.preview.pages import paged


def render_a4(sheet: Sheet) -> bytes:
    """Return the document as PDF/A-3b. Blocking: tens of milliseconds, seconds for thousands of lines."""
    title = clean(sheet.title)
    with reportlab():
        data = paged(lambda: list(flow(sheet)), title)
    return archival(data, title=title, day=sheet.issued_on, attachment=sheet.attachment)
