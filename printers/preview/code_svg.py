"""A QR code for a screen, as SVG."""

from __future__ import annotations

from printers.escpos.qr import QUIET, matrix, payload_bytes


def render_svg(payload: str) -> bytes:
    """Return the code of a URL as SVG, one unit a module, with its quiet zone, black on white.

    QrNotAscii where the payload is no URL.
    """
    rows = matrix(payload_bytes(payload))
    side = len(rows) + 2 * QUIET
    dark = "".join(
        f"M{x + QUIET} {y + QUIET}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, module in enumerate(row)
        if module == "1"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{dark}" fill="#000"/></svg>'
    ).encode()
