"""What a job prints, as text, read from its very bytes."""

from __future__ import annotations

from itertools import groupby

from printers.escpos.printed_page import CodeBox, CutMark, Page, PictureBox, TextBox, compose
from printers.profiles.models import LINE_HEIGHT, Profile


def decode(data: bytes, profile: Profile) -> str:
    """Return the job's lines as they stand on the paper; a code as ``[QR] payload``, a picture as ``[obraz]``.

    Raises parse.UnknownBytes, parse.Incomplete, page.PageError for bytes no job for this printer has.
    """
    return text_of(compose(data, profile))


def text_of(page: Page) -> str:
    """Return the lines of a page; empty lines only between others."""
    lines: list[str] = []
    below = 0
    for bottom, group in groupby(page.boxes, key=_bottom):
        boxes = list(group)
        top = min(box.y for box in boxes)
        if lines and top - below >= LINE_HEIGHT:
            lines.extend([""] * ((top - below) // LINE_HEIGHT))
        line = ""
        for box in boxes:
            match box:
                case TextBox(x=x, cell=cell, wide=wide, text=text):
                    line = line.ljust(x // (cell * wide)) + text if not line else line + text
                case PictureBox():
                    line = "[obraz]"
                case CodeBox(payload=payload):
                    line = f"[QR] {payload.decode('ascii', 'replace')}"
                case CutMark():
                    line = ""
        below = bottom
        if not isinstance(boxes[-1], CutMark):
            lines.append(line.rstrip())
    return "\n".join(lines).rstrip("\n") + "\n"


def _bottom(box: TextBox | PictureBox | CodeBox | CutMark) -> int:
    match box:
        case TextBox():
            return box.y + max(LINE_HEIGHT, box.height * box.tall)
        case PictureBox():
            return box.y + box.height
        case CodeBox():
            return box.y + box.width
        case CutMark():
            return box.y
