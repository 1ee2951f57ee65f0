"""A list of tills, as `ksef-agent hub till list --json` prints it and `till import` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum

from agent.domain.errors import BadInput
from agent.domain.values import dataclass

LONGEST_NAME = 60
SHORTEST_TOKEN = 32
"""Characters; hexadecimal ones are 128 bits then."""


@dataclass(frozen=True, slots=True)
class ListedTill:
    """A till as it shall be. ``nip`` empty: of the only seller. ``token`` None: nobody knows it.

    ``says``: which of shop and series the list speaks of; a till in use is compared in these.
    """

    name: str
    nip: str = ""
    shop: str = ""
    series: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    says: frozenset[str] = frozenset()

    def differs(self, shop: str, series: tuple[str, ...]) -> tuple[str, ...]:
        """Return in what a till in use is another one than the list says."""
        found = (("shop", self.shop != shop), ("series", set(self.series) != set(series)))
        return tuple(name for name, other in found if other and name in self.says)


class Imported(StrEnum):
    """What became of one."""

    ADDED = "added"
    TOKEN_REPLACED = "token_replaced"  # noqa: S105 - no password
    """The hub knew it by another token."""
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class ImportedTill:
    """What became of one, and in what the hub has it otherwise than the list: that stays so."""

    result: Imported
    differs: tuple[str, ...] = ()


def require_name(name: str) -> str:
    """Return a till's name without blanks around it; BadInput for one of no use."""
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise BadInput(f"Nazwa kasy ma od 1 do {LONGEST_NAME} znaków.")
    return name.strip()


def read_list(text: str) -> list[ListedTill]:
    """Read a JSON array of objects: name, nip, shop, series, token; members nobody reads are passed over. BadInput."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"Lista kas nie jest poprawnym JSON: {error}.") from error
    if not isinstance(items, list):
        raise BadInput("Lista kas to tablica JSON, jak z „ksef-agent hub till list --json”.")
    listed = [_till(number, item) for number, item in enumerate(items, 1)]
    seen: set[tuple[str, str]] = set()
    for each in listed:
        if (each.nip, each.name) in seen:
            raise BadInput(f"Kasa „{each.name}” jest na liście dwa razy.")
        seen.add((each.nip, each.name))
    return listed


def with_token(listed: ListedTill, token: str) -> ListedTill:
    """Return it with a token; BadInput for one that could be guessed, or that no header can carry."""
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise BadInput(f"Kod kasy „{listed.name}” ma mieć co najmniej {SHORTEST_TOKEN} znaków ASCII bez odstępów.")
    return replace(listed, token=token)


def _till(number: int, item: object) -> ListedTill:
    if not isinstance(item, Mapping):
        raise BadInput(f"Pozycja {number} listy kas nie jest obiektem JSON.")
    texts = {name: item.get(name) or "" for name in ("name", "nip", "shop", "token")}
    series = item.get("series") or []
    for name, value in texts.items():
        if not isinstance(value, str):
            raise BadInput(f"Pozycja {number} listy kas: „{name}” nie jest tekstem.")
    if not isinstance(series, list) or not all(isinstance(each, str) for each in series):
        raise BadInput(f"Pozycja {number} listy kas: „series” nie jest tablicą tekstów.")
    says = frozenset({"shop", "series"} & item.keys())
    listed = ListedTill(require_name(texts["name"]), texts["nip"], texts["shop"], tuple(series), says=says)
    return with_token(listed, texts["token"]) if texts["token"] else listed
