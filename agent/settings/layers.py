"""Settings in layers: headquarters owns one file, the till another, an image a third; the later layer wins.

    1. files named by ``include`` of a file, just before that file
    2. the settings file (config.toml)
    3. config.d/*.toml beside it (of till.toml: till.d/*.toml), in the order of their names
    4. *.toml among systemd's credentials, in the order of their names
    5. variables of the environment: KSEF_AGENT__KSEF__URL is ksef.url

Tables are merged key by key. Everything else replaces what an earlier layer said as a whole: a list, and all
[[printer]] sections together.
"""

from __future__ import annotations

import glob
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final

from agent.domain.errors import ConfigError
from agent.domain.values import dataclass
from agent.settings.toml_lines import KeyPath, find_lines, line_of
from agent.system.os_errors import polish_reason

LARGEST_FILE: Final = 1024 * 1024  # bytes
VARIABLES: Final = "KSEF_AGENT__"
"""Begins variables that are settings; two underscores stand between section and name."""
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""The variable in which systemd names the folder of a service's credentials."""
VARIABLE: Final = "zmienna"
CREDENTIAL: Final = "poświadczenie"
"""How people are told of a layer that no file beside the settings holds."""
INCLUDE: Final = "include"


class FromVariable(str):
    """The text of a variable: read as the setting's type wants it, also without the quotes of TOML."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings. ``name``: as people are told.

    ``of_the_service``: only the service's unit gives it: a variable, a credential and what that includes.
    """

    name: str
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    path: Path | None = None
    of_the_service: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting stands. ``layer`` counts the layers from 0; ``line`` from 1, None where there are no lines."""

    layer: int
    name: str
    line: int | None
    of_the_service: bool = False

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}, wiersz {self.line}"


class Layers:
    """All layers, merged."""

    def __init__(self, layers: tuple[Layer, ...], main: int = 0) -> None:
        """``main``: which layer is the settings file; it is named where a setting is missing."""
        self.values: dict[str, Any] = {}
        self._layers = layers
        self._main = main
        self._owners: dict[KeyPath, list[int]] = {}
        for number, layer in enumerate(layers):
            self._merge(self.values, layer.values, number, ())

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that were read."""
        return tuple(layer.path for layer in self._layers if layer.path is not None)

    def origin(self, place: KeyPath) -> Origin:
        """Return where a setting, or its nearest table, stands last; the settings file where it stands nowhere."""
        known = place
        while known and known not in self._owners:
            known = known[:-1]
        return self._origin(self._owners[known][-1] if known else self._main, place)

    def said(self, place: KeyPath) -> tuple[Origin, ...]:
        """Return every layer that gives exactly this setting, the one that wins first; nothing for a default."""
        return tuple(self._origin(number, place) for number in reversed(self._owners.get(place, [])))

    def _origin(self, number: int, place: KeyPath) -> Origin:
        layer = self._layers[number]
        return Origin(number, layer.name, line_of(layer.lines, place), layer.of_the_service)

    def _merge(self, into: dict[str, Any], values: Mapping[str, Any], number: int, place: KeyPath) -> None:
        for key, value in values.items():
            here = (*place, key)
            before = into.get(key)
            if isinstance(value, dict) and (before is None or isinstance(before, dict)):
                self._owners.setdefault(here, []).append(number)
                self._merge(into.setdefault(key, {}), value, number, here)
            else:
                self._forget_below(here)
                into[key] = value
                self._claim(here, value, number)

    def _forget_below(self, place: KeyPath) -> None:
        for known in [each for each in self._owners if len(each) > len(place) and each[: len(place)] == place]:
            del self._owners[known]

    def _claim(self, place: KeyPath, value: object, number: int) -> None:
        self._owners.setdefault(place, []).append(number)
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            self._claim((*place, key), item, number)


def read_layers(path: Path, *, variables: Mapping[str, str] | None = None) -> Layers:
    """Read the settings file and every layer beside it; ConfigError names everything that cannot be read.

    ``variables``: the environment, None where it holds no settings of this file.
    """
    problems: list[str] = []
    before = list(_with_included(path, path.name, problems, ()))
    beside = path.with_suffix(".d")
    layers = list(before)
    for file in _toml_files(beside):
        layers += _with_included(file, f"{beside.name}/{file.name}", problems, (path.resolve(),))
    if variables is not None:
        if credentials := variables.get(CREDENTIALS):
            for file in _toml_files(Path(credentials)):
                given = _with_included(file, f"{CREDENTIAL} {file.name}", problems, (path.resolve(),))
                layers += [replace(layer, of_the_service=True) for layer in given]
        layers += _variables(variables)
    if problems:
        raise ConfigError(tuple(problems))
    return Layers(tuple(layers), main=len(before) - 1)


def _toml_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml")) if folder.is_dir() else []


def _with_included(path: Path, name: str, problems: list[str], above: tuple[Path, ...]) -> Iterator[Layer]:
    """Yield the layers of a file: those it includes, then itself."""
    try:
        text = _read(path, name)
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(_syntax(name, str(error)))
        return
    except RecursionError:  # how tomllib ends in a thousand brackets
        problems.append(f"{name}: nawiasy są zagnieżdżone zbyt głęboko.")
        return
    except ConfigError as error:
        problems += error.problems
        return
    lines = find_lines(text)
    named = values.pop(INCLUDE, [])
    where = Origin(0, name, line_of(lines, (INCLUDE,)))
    if not isinstance(named, list) or not all(isinstance(each, str) and each for each in named):
        problems.append(f"{where}: include: potrzebna lista plików w cudzysłowach.")
        named = []
    above = (*above, path.resolve())
    for pattern in named:
        found = [Path(each) for each in sorted(glob.glob(str(path.absolute().parent / pattern)))]  # noqa: PTH207 - also absolute
        if not found and not glob.has_magic(pattern):
            problems.append(f"{where}: include: nie ma pliku {path.absolute().parent / pattern}.")
        for file in found:
            if file.resolve() in above:
                problems.append(f"{where}: include: pliki włączają się nawzajem ({file}).")
            else:
                yield from _with_included(file, str(file), problems, above)
    yield Layer(name, values, lines, path)


def _variables(variables: Mapping[str, str]) -> Iterator[Layer]:
    """Yield a layer for each variable, so that each is named by itself."""
    for name in sorted(variables):
        if name.startswith(VARIABLES):
            keys = name.removeprefix(VARIABLES).lower().split("__")
            value: Any = FromVariable(variables[name])
            for key in reversed(keys):
                value = {key: value}
            yield Layer(f"{VARIABLE} {name}", value, of_the_service=True)


def _read(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError((f"Nie można odczytać ustawień {path}: {polish_reason(error)}.",)) from error
    if len(raw) > LARGEST_FILE:
        raise ConfigError((f"Plik {path} jest za duży na ustawienia.",))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError((f"{name}, wiersz {line}: plik nie jest w kodowaniu UTF-8. Zapisz go w UTF-8.",)) from error


def _syntax(name: str, message: str) -> str:
    match = re.search(r"at line (\d+), column (\d+)", message)
    place = f"wiersz {match[1]}, kolumna {match[2]}" if match else "koniec pliku"
    what = message.partition(" (at ")[0]
    remedy = "Teksty stoją w cudzysłowie, a ustawienia i sekcje się nie powtarzają."
    return f"{name}, {place}: błąd składni TOML ({what}). {remedy}"
