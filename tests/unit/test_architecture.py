"""docs/architecture.svg shows the imports as they are; the drawing itself is right and always the same."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tools import architecture
from tools.architecture import Panel

PAIRS = [
    ("shop.till", "shop.rules.vat"),
    ("shop.till", "shop.store"),
    ("shop.store", "shop.rules"),
    ("shop.rules.vat", "shop.rules.money"),
    ("paper.slip", "shop.rules"),
]
SHOP = Panel("shop", ("shop",), whole=("paper",))


def test_the_picture_is_up_to_date() -> None:
    fresh = architecture.picture(architecture.imports())
    assert architecture.TARGET.read_text("utf-8") == fresh, "out of date: make architecture"


def test_the_picture_is_always_the_same() -> None:
    pairs = architecture.imports()
    assert architecture.picture(pairs) == architecture.picture(list(reversed(pairs)))


def test_every_folder_is_in_the_picture() -> None:
    root = ET.fromstring(architecture.TARGET.read_text("utf-8"))
    named = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    for package in ("agent", "agent/services", "agent/domain", "printers"):
        for folder in (architecture.ROOT / package).iterdir():
            if (folder / "__init__.py").exists():
                assert folder.name in named, folder


def test_boxes_and_arrows() -> None:
    graph = architecture.boxes(SHOP, PAIRS)
    assert graph == {
        "paper": frozenset({"rules"}),
        "rules": frozenset(),
        "store": frozenset({"rules"}),
        "till": frozenset({"rules", "store"}),
    }
    assert architecture.needed(graph)["till"] == {"store"}, "till -> rules follows from till -> store -> rules"
    assert architecture.floors(graph) == [["till"], ["paper", "store"], ["rules"]]


def test_a_circle_is_an_error() -> None:
    with pytest.raises(ValueError, match="circle"):
        architecture.reach({"a": frozenset({"b"}), "b": frozenset({"a"})})


def test_imports_that_the_linter_ignores_are_left_out(tmp_path: Path) -> None:
    settings = tmp_path / "importlinter"
    settings.write_text("[importlinter:contract:x]\nignore_imports =\n    a.b -> c\n    d -> e.f\n", "utf-8")
    assert architecture.ignored_imports(settings) == {("a.b", "c"), ("d", "e.f")}
