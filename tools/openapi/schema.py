"""JSON Schema (2020-12, as OpenAPI 3.1 has it) of dataclasses.

Why not pydantic: what a type cannot say would be said in pydantic's words, and the answers are shipped without it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from agent.web.wire import OMITTED, Says

Schema = dict[str, Any]

SIMPLE: Mapping[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Decimal: {"type": "string", "pattern": r"^-?[0-9]{1,14}(\.[0-9]+)?$", "examples": ["123.00"]},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    bytes: {"type": "string", "format": "binary"},
}


class Components:
    """Named schemas; each dataclass and each enum is one."""

    def __init__(self, names: Mapping[type, str], prefix: str = "#/components/schemas/") -> None:
        self._names = names
        """Of types that are not published by their own name."""
        self._prefix = prefix
        self._types: dict[str, type] = {}
        self.schemas: dict[str, Schema] = {}

    def of(self, hint: Any, *, body: bool = False) -> Schema:
        """Return the schema of a type. ``body``: of a request, where unknown fields are refused and null is absent."""
        if get_origin(hint) is Annotated:
            inner, *said = get_args(hint)
            schema = self.of(inner, body=body)
            for each in said:
                if isinstance(each, Says):
                    schema = _with(schema, each)
            return schema
        if hint in SIMPLE:
            return dict(SIMPLE[hint])
        if get_origin(hint) in {Union, UnionType}:
            return self._union(hint, body)
        if get_origin(hint) is Literal:
            return {"type": "string", "enum": list(get_args(hint))}
        if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, StrEnum)):
            return self._named(hint, body)
        return self._container(hint, body)

    def _container(self, hint: Any, body: bool) -> Schema:
        origin, inner = get_origin(hint), get_args(hint)
        if origin is tuple:
            return {"type": "array", "items": self.of(inner[0], body=body)}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            values = self.of(inner[1], body=body) if inner[1] in SIMPLE else True
            return {"type": "object", "additionalProperties": values}
        raise TypeError(f"no schema for {hint}")

    def _union(self, hint: Any, body: bool) -> Schema:
        parts = [self.of(each, body=body) for each in get_args(hint) if each is not NoneType]
        if NoneType in get_args(hint):
            only = parts[0]
            if len(parts) == 1 and isinstance(only.get("type"), str) and "enum" not in only:
                return {**only, "type": [only["type"], "null"]}
            parts.append({"type": "null"})
        if len(parts) > 1 and all(set(part) == {"type"} and isinstance(part["type"], str) for part in parts):
            return {"type": [part["type"] for part in parts]}
        return {"oneOf": parts}

    def _named(self, kind: type, body: bool) -> Schema:
        name = self._names.get(kind, kind.__name__)
        if self._types.setdefault(name, kind) is not kind:
            raise TypeError(f"two types are called {name}: {kind} and {self._types[name]}")
        if name not in self.schemas:
            self.schemas[name] = {}  # a type may hold itself
            self.schemas[name] = self._words(kind) if issubclass(kind, StrEnum) else self._object(kind, body)
        return {"$ref": self._prefix + name}

    def _words(self, kind: type[StrEnum]) -> Schema:
        said = docstrings(kind)
        words = "; ".join(f"{each.value}: {said[each.name]}" for each in kind if each.name in said)
        described = " ".join(part for part in (_sentence(_doc(kind)), _sentence(words)) if part)
        # Names, since generators would number words such as "23", and number them anew with each further word.
        schema = {
            "type": "string",
            "enum": [each.value for each in kind],
            "x-enum-varnames": [each.name for each in kind],
        }
        return _described(schema, described)

    def _object(self, kind: type, body: bool) -> Schema:
        hints, said = get_type_hints(kind, include_extras=True), docstrings(kind)
        properties, required = {}, []
        assert is_dataclass(kind)
        for each in fields(kind):
            name, hint = each.name.removesuffix("_"), hints[each.name]
            absent = OMITTED in getattr(hint, "__metadata__", ())
            if absent:
                hint = _without_none(hint)
            if each.default is MISSING:
                required.append(name)
            properties[name] = _described(self.of(hint, body=body), said.get(each.name, ""))
        schema: Schema = _described({"type": "object"}, _doc(kind)) | {"properties": properties}
        if required:
            schema["required"] = required
        return schema | ({"additionalProperties": False} if body else {})


@cache
def docstrings(kind: type) -> Mapping[str, str]:
    """Return the docstrings below the fields of a class, by name."""
    found: dict[str, str] = {}
    for base in kind.__bases__:
        if is_dataclass(base):
            found |= docstrings(base)
    if kind.__doc__ is None:  # made by a call
        return found
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        target = statement.target if isinstance(statement, ast.AnnAssign) else None
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets  # type: ignore[assignment]  # a member of an enum
        if isinstance(target, ast.Name) and isinstance(following, ast.Expr):
            text = ast.literal_eval(following.value)
            found[target.id] = _plain_text(text)
    return found


def _doc(kind: type) -> str:
    return _plain_text(inspect.getdoc(kind) or "")


def _plain_text(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).removesuffix(".")


def _sentence(text: str) -> str:
    return f"{text}." if text else ""


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text} if text else schema


def _with(schema: Schema, said: Says) -> Schema:
    kinds = {schema.get("type")} if isinstance(schema.get("type"), str) else set(schema.get("type") or ())
    more: Schema = {}
    if said.words:
        only = {"type": "string", "enum": list(said.words)}
        return {"oneOf": [only, {"type": "null"}]} if "null" in kinds else only
    if said.pattern:
        more["pattern"] = said.pattern
    low, high = ("minimum", "maximum") if kinds & {"integer", "number"} - {"string"} else ("minLength", "maxLength")
    if "string" in kinds:
        low, high = "minLength", "maxLength"
    if "array" in kinds:
        low, high = "minItems", "maxItems"
    more |= {name: value for name, value in ((low, said.low), (high, said.high)) if value is not None}
    if said.example is not None:
        more["examples"] = [said.example]
    return schema | more


def _without_none(hint: Any) -> Any:
    inner, *said = get_args(hint)
    (kept,) = (each for each in get_args(inner) if each is not NoneType)
    return Annotated[(kept, *said)]
