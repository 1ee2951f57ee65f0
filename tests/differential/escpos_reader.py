"""A second reader of ESC/POS, written from Epson's command reference; it shares nothing with printers/escpos.

Unknown bytes are an error. What is read: the printed lines, each decoded in the code page that is selected then, the QR
payloads, and the rasters as rows of dots.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

CODECS = {0: "cp437", 18: "cp852", 6: "cp852", 13: "cp852", 25: "cp1257", 35: "cp1257"}
"""n of ESC t -> the code page, of the tables of makers; the remaining ones of Polish printers are cp1250."""
FIXED = re.compile(
    rb"(?P<init>\x1b@)|(?P<kanji>\x1c\.)|(?P<country>\x1bR[\x00])|\x1bt(?P<page>.)|\x1bM(?P<font>[\x00\x01])"
    rb"|\x1bE(?P<bold>[\x00\x01])|\x1d!(?P<size>.)|\x1ba(?P<align>[\x00-\x02])|\x1bd(?P<feed>.)"
    rb"|(?P<drawer>\x1bp[\x00\x01]..)|(?P<cut>\x1dV[AB].)|(?P<raster>\x1dv0(?P<mode>[\x00-\x03])(?P<w>..)(?P<h>..))"
    rb"|(?P<symbol>\x1d\(k(?P<length>..))|(?P<id>\x1d\(H\x06\x0000....)|(?P<status>\x1dr[\x01\x31])|(?P<end>\n)"
    rb"|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)


class Unknown(ValueError):
    """Bytes that are none of the commands that the agent may send."""


@dataclass
class Read:
    """What lies on the paper."""

    lines: list[str] = field(default_factory=list)
    codes: list[bytes] = field(default_factory=list)
    rasters: list[list[str]] = field(default_factory=list)
    """Rows of "0" and "1"."""
    cuts: int = 0
    drawers: int = 0


def read(data: bytes) -> Read:
    """Read a job. Raises Unknown."""
    found = Read()
    line, page, stored, at = "", None, b"", 0
    while at < len(data):
        match = FIXED.match(data, at)
        if match is None:
            raise Unknown(f"{data[at : at + 8]!r} at {at}")
        at = match.end()
        kind = match.lastgroup
        if match["init"]:
            page = None
        elif match["page"]:
            page = match["page"][0]
        elif match["font"]:
            page = None  # NT-5890K forgets it
        elif match["text"]:
            codec = "ascii" if page is None else CODECS.get(page, "cp1250")
            line += match["text"].decode(codec)
        elif match["end"] or match["feed"]:
            found.lines.append(line)
            line = ""
        elif match["raster"]:
            wide, high = (int.from_bytes(match[name], "little") for name in ("w", "h"))
            pixels = data[at : at + wide * high]
            if len(pixels) != wide * high:
                raise Unknown("a raster is cut short")
            bits = f"{int.from_bytes(pixels, 'big'):0{8 * len(pixels)}b}"
            found.rasters.append([bits[row * wide * 8 : (row + 1) * wide * 8] for row in range(high)])
            at += wide * high
        elif match["symbol"]:
            length = int.from_bytes(match["length"], "little")
            body, at = data[at : at + length], at + length
            if len(body) != length or body[:1] != b"1":
                raise Unknown("a symbol is cut short, or no QR code")
            if body[1:3] == b"P0":
                stored = body[3:]
            elif body[1:3] == b"Q0":
                found.codes.append(stored)
        elif match["cut"]:
            found.cuts += 1
        elif match["drawer"]:
            found.drawers += 1
        else:
            assert kind is not None
    if line:
        raise Unknown("the job ends inside a line")
    return found
