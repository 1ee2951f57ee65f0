"""Where each setting comes from: `ksef-agent check --explain`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from agent.domain.values import dataclass
from agent.ports import Json
from agent.settings.layers import Layers
from agent.settings.load import in_file
from agent.settings.model import Settings
from agent.settings.toml_lines import KeyPath, name_of


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting. ``source``: where its value stands, None for the default; ``replaces``: what lost, newest first."""

    setting: str
    value: Json
    source: str | None
    replaces: tuple[str, ...] = ()

    def __str__(self) -> str:
        lost = f"; zastępuje: {'; '.join(self.replaces)}" if self.replaces else ""
        return f"{self.setting} = {_shown(self.value)}  ({self.source or 'domyślnie'}{lost})"


def explain(layers: Layers) -> Iterator[Explained]:
    """Yield every setting that there is, also where its value is wrong; what is no setting is left out."""
    yield from _of_record(Settings, layers.values, (), layers)


def _of_record(kind: type, values: Any, place: KeyPath, layers: Layers) -> Iterator[Explained]:
    hints = get_type_hints(kind)
    given = values if isinstance(values, dict) else {}
    for each in fields(kind):
        name = in_file(each.name) if kind is Settings else (each.name,)
        here = (*place, *name)
        value = _deep(given, name)
        inner = _record_of(hints[each.name])
        if get_origin(hints[each.name]) is tuple and inner is not None:
            for index, item in enumerate(value if isinstance(value, list) else []):
                yield from _of_record(inner, item, (*here, index), layers)
        elif inner is not None:
            yield from _of_record(inner, value, here, layers)
        else:
            origins = [str(origin) for origin in layers.said(here)]
            default = None if each.default is MISSING else each.default
            shown = _json(default if value is None else value)
            yield Explained(name_of(here), shown, origins[0] if origins else None, tuple(origins[1:]))


def _record_of(hint: Any) -> type | None:
    """Return the dataclass of a section's hint, or of a list of sections."""
    options = get_args(hint) if get_origin(hint) is tuple else (hint,)
    return next((option for option in options if is_dataclass(option) and isinstance(option, type)), None)


def _deep(values: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _json(value: object) -> Json:
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def _shown(value: Json) -> str:
    """Write a value as TOML does; None, which TOML has not, is a setting that is not set."""
    if value is None:
        return "brak"
    return json.dumps(value, ensure_ascii=False)
