"""Draw docs/architecture.svg from the imports of the program: `make architecture`.

Four panels: the whole, the use cases, the domain, the printers. A box is a folder (or a module on its own) and stands
above everything it imports. Of the arrows only those are drawn that do not follow from others: A -> C is left out where
A -> B -> C is there. Imports that import-linter is told to ignore (.importlinter) are left out. The same imports give
the same bytes.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from math import fsum
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "architecture.svg"

WIDTH, MARGIN, GAP = 1180, 24, 12
BOX_HEIGHT, ROW_HEIGHT, CHARACTER = 30, 74, 7.8
STYLE = (
    "text{font:13px sans-serif;fill:#1f2933}.title{font-weight:bold;font-size:15px}.box{fill:#eef3f8;stroke:#52667a}"
    ".arrow{fill:none;stroke:#8a9bab;stroke-width:1.2;marker-end:url(#head)}.page{fill:#ffffff}"
)

Graph = Mapping[str, frozenset[str]]
"""Box -> the boxes it imports."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing: what is shown inside which packages."""

    title: str
    packages: tuple[str, ...]
    """Their children are the boxes; a package without children shown is a box itself."""
    whole: tuple[str, ...] = ()
    """Packages that are one box although they have children."""


PANELS = (
    Panel("The whole: agent and printers", ("agent",), whole=("printers",)),
    Panel("agent.services: the use cases", ("agent.services",)),
    Panel("agent.domain: the rules", ("agent.domain",)),
    Panel("printers: from a receipt document to a device", ("printers",)),
)


def ignored_imports(settings: Path = ROOT / ".importlinter") -> set[tuple[str, str]]:
    """Return the imports that import-linter leaves out."""
    parser = configparser.ConfigParser()
    parser.read_string(settings.read_text("utf-8"))
    lines = "\n".join(parser.get(section, "ignore_imports", fallback="") for section in parser.sections())
    pairs = (line.split(" -> ") for line in lines.splitlines() if " -> " in line)
    return {(importer.strip(), imported.strip()) for importer, imported in pairs}


def imports() -> list[tuple[str, str]]:
    """Return every import between modules of the program, importer first."""
    graph = grimp.build_graph("agent", "printers", cache_dir=None)
    pairs = ((module, found) for module in graph.modules for found in graph.find_modules_directly_imported_by(module))
    return sorted(set(pairs) - ignored_imports())


def box_of(module: str, panel: Panel) -> str | None:
    """Return the box a module belongs to, None where it is outside the panel or is the package itself."""
    for package in panel.whole:
        if module == package or module.startswith(f"{package}."):
            return package
    for package in panel.packages:
        if module.startswith(f"{package}."):
            return module.removeprefix(f"{package}.").partition(".")[0]
    return None


def boxes(panel: Panel, pairs: Iterable[tuple[str, str]]) -> Graph:
    """Return the panel's boxes and what each imports."""
    found: dict[str, set[str]] = {}
    for importer, imported in pairs:
        above, below = box_of(importer, panel), box_of(imported, panel)
        for box in (above, below):
            if box is not None:
                found.setdefault(box, set())
        if above is not None and below is not None and above != below:
            found[above].add(below)
    return {box: frozenset(found[box]) for box in sorted(found)}


def reach(graph: Graph) -> dict[str, frozenset[str]]:
    """Return everything each box imports, directly or not. A circle is an error: it has no above and below."""
    known: dict[str, frozenset[str]] = {}

    def of(box: str, path: tuple[str, ...]) -> frozenset[str]:
        if box in path:
            raise ValueError(f"circle: {' -> '.join((*path, box))}")
        if box not in known:
            known[box] = graph[box].union(*(of(each, (*path, box)) for each in sorted(graph[box])))
        return known[box]

    return {box: of(box, ()) for box in sorted(graph)}


def needed(graph: Graph) -> Graph:
    """Return the graph without arrows that follow from others."""
    everything = reach(graph)
    return {
        box: frozenset(each for each in below if not any(each in everything[other] for other in below))
        for box, below in graph.items()
    }


def floors(graph: Graph) -> list[list[str]]:
    """Return the boxes by floor, the ground floor (imports nothing) last; neighbours stand near what they import."""
    height: dict[str, int] = {}
    everything = reach(graph)
    for box in sorted(graph, key=lambda each: (len(everything[each]), each)):
        height[box] = 1 + max((height[below] for below in graph[box]), default=-1)
    rows: list[list[str]] = [[] for _ in range(max(height.values()) + 1)]
    place: dict[str, float] = {}
    for floor, row in enumerate(rows):
        members = [box for box in graph if height[box] == floor]
        middle = {box: fsum(place[each] for each in graph[box]) / max(len(graph[box]), 1) for box in members}
        row.extend(sorted(members, key=lambda box: (middle[box], box)))
        place.update({box: (index + 0.5) / len(row) for index, box in enumerate(row)})
    return rows[::-1]


def wrapped(row: list[str]) -> list[list[str]]:
    """Return a floor as lines that fit the page."""
    lines: list[list[str]] = [[]]
    used = 0.0
    for box in row:
        if used + box_width(box) > WIDTH - 2 * MARGIN and lines[-1]:
            lines.append([])
            used = 0.0
        lines[-1].append(box)
        used += box_width(box) + GAP
    return lines


def box_width(box: str) -> float:
    """Return the width of a box, in pixels."""
    return max(70.0, len(box) * CHARACTER + 20)


def draw(panel: Panel, pairs: Iterable[tuple[str, str]], top: int) -> tuple[list[str], int]:
    """Return the panel's elements and where the next one may begin."""
    graph = needed(boxes(panel, pairs))
    heads: dict[str, tuple[float, float]] = {}
    """Box -> the middle of its upper edge."""
    lines = [line for row in floors(graph) for line in wrapped(row)]
    for number, line in enumerate(lines):
        y = top + 34 + number * ROW_HEIGHT
        spare = (WIDTH - 2 * MARGIN - fsum(map(box_width, line))) / (len(line) + 1)
        x = MARGIN + spare
        for box in line:
            heads[box] = (x + box_width(box) / 2, y)
            x += box_width(box) + spare
    drawn = [f'<text class="title" x="{MARGIN}" y="{top + 14}">{escape(panel.title)}</text>']
    for box in graph:
        drawn.extend(arrow(heads[box], heads[below]) for below in sorted(graph[box]))
    for box, (center, head) in heads.items():
        left, width = center - box_width(box) / 2, box_width(box)
        drawn += [
            f'<rect class="box" x="{left:.1f}" y="{head}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="4"/>',
            f'<text x="{center:.1f}" y="{head + 20}" text-anchor="middle">{escape(box)}</text>',
        ]
    return drawn, top + 34 + len(lines) * ROW_HEIGHT


def arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return a curve from the foot of one box to the head of another."""
    (x1, y1), (x2, y2) = (start[0], start[1] + BOX_HEIGHT), (end[0], end[1] - 3)
    middle = (y1 + y2) / 2
    curve = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    return f'<path class="arrow" d="{curve}"/>'


def picture(pairs: list[tuple[str, str]]) -> str:
    """Return the SVG."""
    elements: list[str] = []
    top = MARGIN
    for panel in PANELS:
        drawn, top = draw(panel, pairs, top)
        elements += drawn
    head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}">',
            "<title>What imports what</title>",
            f"<style>{STYLE}</style>",
            f'<defs>{head}<path d="M0 0L8 4L0 8z" fill="#8a9bab"/></marker></defs>',
            f'<rect class="page" width="{WIDTH}" height="{top}"/>',
            *elements,
            "</svg>\n",
        )
    )


def main() -> None:
    """Write the picture."""
    TARGET.write_text(picture(imports()), "utf-8")


if __name__ == "__main__":
    main()
