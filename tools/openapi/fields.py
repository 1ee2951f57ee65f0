"""The tables and samples of docs/api.md, from the description: every field with an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.openapi import examples
from tools.openapi.schema import Schema

HEAD: Final = ("| Field | Example | Meaning |", "|---|---|---|")
SEPARATE: Final = {"Sale": (), "Correction": ("sale", "buyer", "payments[]", "deposits[]")}
"""Fields that are described once, in another table."""
OF_FORMAT: Final = {"date": "2026-11-24", "date-time": "2026-11-24T10:15:30+01:00"}
BLOCK: Final = "<!-- {name}: made by make openapi -->\n{text}\n<!-- end of {name} -->"


def written_into(document: str, description: Schema) -> str:
    """Return docs/api.md with its blocks made anew; KeyError where it has a block that nobody makes."""
    made = _blocks(description["components"]["schemas"])
    pattern = re.compile(r"<!-- ([\w ]+): made by make openapi -->\n.*?\n<!-- end of \1 -->", re.DOTALL)
    assert set(pattern.findall(document)) == set(made)
    return pattern.sub(lambda found: BLOCK.format(name=found[1], text=made[found[1]]), document)


def _blocks(schemas: Mapping[str, Schema]) -> dict[str, str]:
    return {
        "sale": _table(schemas, "Sale", {}),
        "correction": _table(schemas, "Correction", {}),
        "buyers": _buyers(),
        "answer": f"```json\n{json.dumps(examples.INVOICE, ensure_ascii=False, indent=2)}\n```",
        "invoice": _table(schemas, "Invoice", examples.INVOICE),
    }


def _buyers() -> str:
    rows = [f"| {each['summary']} | `{_json(each['value'])}` |" for each in examples.BUYERS.values()]
    return "\n".join(("| Buyer | `buyer` |", "|---|---|", *rows))


def _table(schemas: Mapping[str, Schema], name: str, sample: Mapping[str, Any]) -> str:
    return "\n".join((*HEAD, *_rows(schemas, name, "", sample, (name,))))


def _rows(
    schemas: Mapping[str, Schema], name: str, prefix: str, sample: object, above: tuple[str, ...]
) -> Iterator[str]:
    """Rows of a type. ``above``: the types it stands in, so that one that holds itself ends."""
    for field, given in schemas[name]["properties"].items():
        own = sample.get(field) if isinstance(sample, Mapping) else None
        path, schema = prefix + field, given
        if "array" in _kinds(schema):
            path, schema = f"{path}[]", {**schema["items"], "description": given.get("description", "")}
            own = own[0] if isinstance(own, list | tuple) and own else None
        kinds = [each for each in _alternatives(schema, schemas) if each not in above]
        meaning = ". ".join(filter(None, (given.get("description"), _of_types(schema, schemas, kinds))))
        shown = f"**`{path}`**" if field in schemas[name].get("required", ()) and not sample else f"`{path}`"
        yield f"| {shown} | {_shown(_example(schema, schemas, own, path))} | {meaning.replace('|', ', ')} |"
        if path not in SEPARATE.get(above[0], ()):
            for each in kinds:
                yield from _rows(schemas, each, f"{path}.", own, (*above, each))


def _kinds(schema: Schema) -> set[str]:
    kind = schema.get("type", ())
    return {kind} if isinstance(kind, str) else set(kind)


def _parts(schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[tuple[str | None, Schema]]:
    """Yield what a field may be: the name of a component, and its schema."""
    for part in schema.get("oneOf", [schema]):
        name = part["$ref"].rpartition("/")[2] if "$ref" in part else None
        yield name, schemas[name] if name else part


def _alternatives(schema: Schema, schemas: Mapping[str, Schema]) -> list[str]:
    return [name for name, part in _parts(schema, schemas) if name is not None and "properties" in part]


def _of_types(schema: Schema, schemas: Mapping[str, Schema], kinds: list[str]) -> str:
    """What the types say of themselves: the words of an enum, the sentence of an object."""
    words = [part["enum"] for _, part in _parts(schema, schemas) if "enum" in part]
    said = [f"One of {', '.join(f'`{word}`' for word in each)}" for each in words]
    return ". ".join(said + [schemas[each].get("description", "") for each in kinds if len(kinds) == 1])


def _example(schema: Schema, schemas: Mapping[str, Schema], own: object, path: str) -> object:
    if own is not None:
        return own
    for _, part in (*_parts(schema, schemas), (None, schema)):
        if "examples" in part:
            return part["examples"][0]
        if "enum" in part:
            return part["enum"][0]
        if "properties" in part:
            return {}
        if "boolean" in _kinds(part):
            return True
        if part.get("format") in OF_FORMAT:
            return OF_FORMAT[part["format"]]
    raise ValueError(f"{path} has no example: say one (Says) beside its type")


def _shown(example: object) -> str:
    return "" if isinstance(example, Mapping) else f"`{_json(example)}`"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
