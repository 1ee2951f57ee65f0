"""Check the settings: every mistake of every layer at once, with its file, line and remedy, in Polish.

A file named without a slash is looked for among systemd's credentials first ($CREDENTIALS_DIRECTORY), then beside the
settings; other relative paths are relative to the settings.
"""

from __future__ import annotations

import os
import tomllib
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from agent.domain.errors import ConfigError
from agent.domain.identifiers import bare_nip
from agent.domain.numbering import TemplateError, never_equal
from agent.settings.environment import environment_mistakes
from agent.settings.field_rules import RULES
from agent.settings.layers import FromVariable, Layers, read_layers
from agent.settings.model import Address, PrinterSettings, Seller, Settings
from agent.settings.rules import NIPS, SECRET_FILES, SECRET_WORDS, Check
from agent.settings.toml_lines import KeyPath, name_of
from agent.system.os_errors import polish_reason
from agent.system.permissions import exposures

T = TypeVar("T")

SYSTEM_CONFIG = Path("/etc/ksef-agent/config.toml")
LOCAL_CONFIG = Path("config.toml")

_WORDS: Mapping[type, str] = {
    str: "tekst w cudzysłowie",
    bool: "true lub false",
    int: "liczba całkowita",
    float: "liczba",
    date: "data, np. 2026-12-24",
    time: "godzina, np. 08:00:00",
    Path: "ścieżka w cudzysłowie",
}


def find_config(option: Path | None) -> Path:
    """Return the settings file: --config, $KSEF_AGENT_CONFIG, /etc/ksef-agent/config.toml, ./config.toml."""
    if option is not None:
        return option
    if named := os.environ.get("KSEF_AGENT_CONFIG"):
        return Path(named)
    for path in (SYSTEM_CONFIG, LOCAL_CONFIG):
        if path.is_file():
            return path
    raise ConfigError(
        (
            f"Nie znaleziono ustawień: ani {SYSTEM_CONFIG}, ani {LOCAL_CONFIG} w bieżącym katalogu. "
            "Skopiuj config.example.toml i uzupełnij albo wskaż plik opcją --config.",
        )
    )


def load(path: Path, *, need_files: bool = True, variables: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings of all layers (layers.py); ConfigError names every mistake.

    ``variables``: where the last two layers are; None: this process's own environment.
    need_files=False does not look at the files the settings name (certificates, keys): for commands that make them.
    """
    layers = read_layers(path, variables=os.environ if variables is None else variables)
    return settings_of(layers, path, need_files=need_files)


def settings_of(layers: Layers, path: Path, *, need_files: bool = True) -> Settings:
    """Check layers that were read; ConfigError names every mistake. ``path``: the settings file."""
    reader = _Reader(path, layers, need_files=need_files)
    settings = reader.settings(layers.values)
    if settings is None:
        raise ConfigError(reader.problems)
    return settings


def load_other(
    kind: type[T],
    path: Path,
    rules: Mapping[str, Check],
    cross_check: Callable[[T], Iterable[tuple[KeyPath, str]]],
    *,
    need_files: bool = True,
) -> T:
    """Read and check the settings of another service: a dataclass of sections, each with defaults."""
    layers = read_layers(path)
    reader = _Reader(path, layers, need_files=need_files, rules=rules)
    settings = reader.other(kind, layers.values, cross_check)
    if settings is None:
        raise ConfigError(reader.problems)
    return settings


def in_file(name: str) -> tuple[str, ...]:
    """Return where a field of Settings stands in the file."""
    return ("schemas", "dir") if name == "schemas_dir" else (_ELSEWHERE.get(name, name),)


class _Reader:
    """Turns parsed values into the dataclasses of agent.settings.model, collecting mistakes."""

    def __init__(self, path: Path, layers: Layers, *, need_files: bool, rules: Mapping[str, Check] = RULES) -> None:
        self._found: list[tuple[int, int, str]] = []
        self._path = path
        self._layers = layers
        self._need_files = need_files
        self._rules = rules

    def other(
        self, kind: type[T], values: dict[str, Any], cross_check: Callable[[T], Iterable[tuple[KeyPath, str]]]
    ) -> T | None:
        """Return the settings of another service, or None where something was wrong."""
        settings = self._record(kind, values, (), {})
        assert settings is None or isinstance(settings, kind)
        if self._need_files:
            self._files_kept_safe()
        if settings is not None:
            for place, problem in cross_check(settings):
                self._wrong(place, problem)
        return None if self._found else settings

    def settings(self, values: dict[str, Any]) -> Settings | None:
        """Return the settings, or None where something required is missing."""
        known = {field.name for field in fields(Settings)} - _ELSEWHERE.keys() | set(_ELSEWHERE.values())
        for key in values.keys() - known:
            self._unknown((key,), known)
        seller = self._section(Seller, values["seller"], ("seller",)) if "seller" in values else _BAD
        if "seller" not in values:
            self._missing(("seller",))
        given = {
            "seller": _NOBODY if seller is _BAD else seller,
            "printers": self._printers(values.get("printer", [])),
            "schemas_dir": self._schemas(values.get("schemas", {})),
        }
        plain = {key: value for key, value in values.items() if key in known - given.keys() - {"printer", "schemas"}}
        settings = self._record(Settings, plain, (), given)
        assert isinstance(settings, Settings)  # all else has defaults
        if self._need_files:
            self._files_kept_safe()
        self._cross_check(settings)
        return None if self._found else settings

    def _schemas(self, values: object) -> object:
        if not isinstance(values, dict):
            self._wrong(("schemas",), "potrzebna sekcja [schemas]")
            return None
        for key in values.keys() - {"dir"}:
            self._unknown(("schemas", key), {"dir"})
        found = self._value(Path, values["dir"], ("schemas", "dir")) if values.get("dir") else None
        return None if found is _BAD else found

    def _printers(self, values: object) -> tuple[PrinterSettings, ...]:
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            self._wrong(("printer",), "drukarki podaje się jako sekcje [[printer]], w podwójnych nawiasach")
            return ()
        found = []
        for index, value in enumerate(values):
            printer = self._record(PrinterSettings, value, ("printer", index), {})
            if isinstance(printer, PrinterSettings):
                found.append(printer)
        return tuple(found)

    def _record(self, kind: type, values: dict[str, Any], place: KeyPath, given: dict[str, object]) -> object:
        """Return a dataclass of ``kind``; None where a required setting is missing or wrong."""
        hints = get_type_hints(kind)
        known = [field for field in fields(kind) if field.name not in given]
        names = {field.name for field in known}
        for key in values.keys() - names:
            self._unknown((*place, key), names)
        arguments = dict(given)
        complete = True
        for field in known:
            here = (*place, field.name)
            if field.name in values:
                value = self._value(hints[field.name], values[field.name], here)
                if value is not _BAD:
                    arguments[field.name] = value
                    continue
                complete = complete and not _required(field)
            elif _required(field):
                complete = False
                self._missing(here)
        return kind(**arguments) if complete else None

    def _value(self, hint: Any, value: object, place: KeyPath) -> object:
        options = _alternatives(hint)
        kind = options[0]
        if value == "" and kind is Path and len(options) < len(get_args(hint)):
            return None
        if is_dataclass(kind):
            return self._section(kind, value, place)
        if get_origin(kind) is tuple:
            return self._list(get_args(kind)[0], value, place)
        return self._plain(kind, value, place)

    def _plain(self, kind: type, value: object, place: KeyPath) -> object:
        converted = _convert(kind, value)
        if converted is _BAD:
            self._wrong(place, f"potrzebna {_WORDS[kind]}" if kind is not str else f"potrzebny {_WORDS[kind]}")
            return _BAD
        if isinstance(converted, Path):
            return self._file(converted, place)
        return self._ruled(converted, place)

    def _ruled(self, converted: object, place: KeyPath) -> object:
        name = name_of(place, with_index=False)
        if name in NIPS:
            converted = bare_nip(str(converted))
        rule = self._rules.get(name)
        problem = rule(converted) if rule else None
        if problem:
            self._wrong(place, problem)
            return _BAD
        return converted

    def _section(self, kind: Any, value: object, place: KeyPath) -> object:
        if not isinstance(value, dict):
            self._wrong(place, f"potrzebna sekcja [{name_of(place)}]")
            return _BAD
        record = self._record(kind, value, place, {})
        return _BAD if record is None else record

    def _list(self, kind: Any, value: object, place: KeyPath) -> object:
        if isinstance(value, FromVariable):
            value = _from_text(list, value)
        if not isinstance(value, list):
            self._wrong(place, "potrzebna lista w nawiasach kwadratowych")
            return _BAD
        items = [_convert(kind, item) for item in value]
        if any(item is _BAD for item in items):
            self._wrong(place, f"każdy element listy to {_WORDS[kind]}")
            return _BAD
        return self._ruled(tuple(items), place)

    def _file(self, path: Path, place: KeyPath) -> object:
        name = str(place[-1])
        if "-----BEGIN" in str(path):
            self._wrong(place, "tu podaje się ścieżkę pliku, a nie jego treść; zapisz treść w pliku z prawami 0600")
            return _BAD
        found = self._locate(path)
        if not name.endswith("_file") or not self._need_files:
            return found
        try:
            found.open("rb").close()
        except OSError as error:
            self._wrong(place, f"nie można odczytać pliku {found}: {polish_reason(error)}")
            return _BAD
        return found if self._kept_safe(found, place, secret=name in SECRET_FILES) else _BAD

    def _files_kept_safe(self) -> None:
        """Whoever may write a layer may name another certificate, another address."""
        for path in self._layers.files:
            self._kept_safe(path, (), secret=False)

    def _kept_safe(self, path: Path, place: KeyPath, *, secret: bool) -> bool:
        """Report what everybody may do to a file; True where that is nothing."""
        try:
            exposed = exposures(path, secret=secret)
        except OSError as error:
            exposed = (f"nie można sprawdzić praw do pliku {path}: {polish_reason(error)}",)
        for sentence in exposed:
            self._wrong(place, sentence)
        return not exposed

    def _locate(self, path: Path) -> Path:
        if path.is_absolute():
            return path
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and len(path.parts) == 1 and (Path(credentials) / path).exists():
            return Path(credentials) / path
        return self._path.absolute().parent / path

    def _cross_check(self, settings: Settings) -> None:
        """Check what only shows between settings."""
        names = [printer.name for printer in settings.printers]
        for index, printer in enumerate(settings.printers):
            if printer.name in names[:index]:
                self._wrong(("printer", index, "name"), f"dwie drukarki nazywają się „{printer.name}”")
            if printer.connection == "tcp" and not printer.host:
                self._wrong(("printer", index, "host"), "połączenie tcp wymaga adresu drukarki")
            if printer.connection != "tcp" and not printer.device:
                self._wrong(("printer", index, "device"), f"połączenie {printer.connection} wymaga ustawienia device")
        if settings.api.port == settings.health.port:
            self._wrong(("health", "port"), f"port {settings.health.port} zajmuje już api.port; wybierz inny")
        if settings.issue.clock_skew_refuse_seconds < settings.issue.clock_skew_alarm_seconds:
            self._wrong(
                ("issue", "clock_skew_refuse_seconds"), "musi być nie mniejsze niż issue.clock_skew_alarm_seconds"
            )
        for section, part in (("ksef", settings.ksef), ("offline", settings.offline)):
            holds_key = not self._layers.said((section, "key_file"))  # PKCS#12; a key_file that was wrong is none here
            if self._need_files and part.certificate_file is not None and holds_key:
                self._kept_safe(part.certificate_file, (section, "certificate_file"), secret=True)
            if part.renew_before_days > 0 and not _renewable(part.certificate_file, part.key_file):
                self._wrong(
                    (section, "renew_before_days"),
                    "odnawiać można tylko parę plików PEM (certificate_file i key_file), "
                    "która nie jest poświadczeniem systemd",
                )
        self._check_series(settings)
        self._check_ksef(settings)
        if settings.alerts.opens >= settings.alerts.closes:
            self._wrong(("alerts", "closes"), "godzina zamknięcia musi być późniejsza niż alerts.opens")
        for section, url, secret in (
            ("alerts.webhook_secret_file", settings.alerts.webhook_url, settings.alerts.webhook_secret_file),
            ("outbox.secret_file", settings.outbox.url, settings.outbox.secret_file),
            ("heartbeat.secret_file", settings.heartbeat.url, settings.heartbeat.secret_file),
        ):
            if url and secret is None:
                self._wrong(tuple(section.split(".")), "brakuje pliku z kluczem do podpisywania powiadomień")

    def _check_series(self, settings: Settings) -> None:
        """KSeF tells documents apart by NIP, kind and P_2: two series of one kind must never make the same number."""
        issue = settings.issue
        for name, usual in (("offline_series", issue.series), ("offline_correction_series", issue.correction_series)):
            own = str(getattr(issue, name))
            if not own:
                continue
            try:
                apart = never_equal(issue.number, own, usual, till=settings.till)
            except TemplateError as error:
                self._wrong(("issue", name), str(error).rstrip("."))
                continue
            if not apart:
                self._wrong(
                    ("issue", name),
                    f"seria „{own}” dawałaby te same numery co „{usual}”: nazwy serii muszą różnić się literami, "
                    "a wzór numeru (issue.number) musi zawierać pole {series}",
                )

    def _check_ksef(self, settings: Settings) -> None:
        for place, problem in environment_mistakes(settings.ksef):
            self._wrong(place, problem)
        for name, given in (("url", settings.hub.url), ("token_file", settings.hub.token_file)):
            if settings.ksef.route == "hub" and not given:
                self._wrong(("hub", name), 'brakuje tego ustawienia, a droga do KSeF (ksef.route) to "hub"')

    def _missing(self, place: KeyPath) -> None:
        self._wrong(place, "brakuje tego ustawienia; wzór jest w config.example.toml")

    def _unknown(self, place: KeyPath, known: set[str]) -> None:
        import difflib  # noqa: PLC0415 - only where a key is misspelt

        key = str(place[-1])
        close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
        secret = _secret_file(key, known)
        if secret:
            self._wrong(place, f"sekretów nie wpisuje się do ustawień; zapisz go w pliku i podaj {secret} = „ścieżka”")
        elif close:
            self._wrong(place, f"nie ma takiego ustawienia; czy chodziło o „{close[0]}”?")
        else:
            self._wrong(place, "nie ma takiego ustawienia; usuń je albo popraw nazwę")

    def _wrong(self, place: KeyPath, problem: str) -> None:
        origin = self._layers.origin(place)
        end = "" if problem.endswith("?") else "."
        what = f"{name_of(place)}: " if place else ""
        self._found.append((origin.layer, origin.line or _NO_LINE, f"{origin}: {what}{problem}{end}"))

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong, in the order of the layers and their lines."""
        return tuple(text for *_, text in sorted(self._found, key=lambda found: found[:2]))


_NO_LINE = 1_000_000
"""Sorts what has no line behind what has one."""


_BAD = object()
"""A value that was wrong and has been reported."""


_NOBODY = Seller("", "", Address(""))
"""Stands in for a seller that was reported, so that the rest is checked too."""

_ELSEWHERE = {"printers": "printer", "schemas_dir": "schemas"}
"""Fields of Settings that have another name in the file."""


def _renewable(certificate_file: Path | None, key_file: Path | None) -> bool:
    """Tell whether a renewed pair can take the place of this one; systemd's credentials are read-only copies."""
    if certificate_file is None or key_file is None:
        return False
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return not credentials or Path(credentials) not in {certificate_file.parent, key_file.parent}


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _secret_file(key: str, known: set[str]) -> str | None:
    """Return the setting that takes the file of a secret somebody wrote inline; None where ``key`` means no secret."""
    if key.casefold() not in SECRET_WORDS:
        return None
    candidates = sorted(known & SECRET_FILES)
    return f"{key}_file" if f"{key}_file" in candidates else next(iter(candidates), None)


def _alternatives(hint: Any) -> list[Any]:
    """Return the types of a hint without None."""
    if get_origin(hint) in (Union, types.UnionType):
        return [option for option in get_args(hint) if option is not type(None)]
    return [hint]


def _from_text(kind: Any, text: FromVariable) -> object:
    """Read a variable as its setting wants it: texts and paths as they are, everything else as TOML."""
    if kind in {str, Path}:
        return str(text)
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError, RecursionError):
        return str(text)


def _convert(kind: Any, value: object) -> object:
    """Return ``value`` as ``kind`` wants it; _BAD where its type is another one. true is no number."""
    if isinstance(value, FromVariable):
        value = _from_text(kind, value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path:
        return Path(value) if isinstance(value, str) and value else _BAD
    wrong_bool = isinstance(value, bool) and kind is not bool
    wrong_date = isinstance(value, datetime) and kind is date
    if not isinstance(value, kind) or wrong_bool or wrong_date:
        return _BAD
    return value
