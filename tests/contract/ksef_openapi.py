"""Hold exchanges with KSeF against its OpenAPI 2.9.0 document."""

from __future__ import annotations

import base64
import json
import re
from datetime import date, datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from agent.sandbox.ksef.routing import Exchange
from tests.reference import ksef_openapi

NAMES = {
    "reference": "referenceNumber",
    "invoice": "invoiceReferenceNumber",
    "number": "ksefNumber",
    "upo": "upoReferenceNumber",
    "serial": "certificateSerialNumber",
}
"""Names of path parameters: sandbox -> contract."""
STORAGE = "/storage/"
"""Presigned addresses are no part of the contract."""

FORMATS = FormatChecker(())


@FORMATS.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("date", raises=ValueError)  # type: ignore[untyped-decorator]
def _date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@FORMATS.checks("byte", raises=ValueError)  # type: ignore[untyped-decorator]
def _byte(value: object) -> bool:
    return not isinstance(value, str) or bool(base64.b64decode(value, validate=True))


class Contract:
    """``check`` says what in an exchange breaks the contract; unknown members break it too."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._paths = document["paths"]
        self._components = {"components": translate(document["components"])}
        self._validators: dict[int, Draft202012Validator] = {}
        """By the identity of a schema of the document, which lives as long as this."""

    def check(self, exchange: Exchange) -> list[str]:
        """Return complaints about the request (only where KSeF took it) and about the answer."""
        template = re.sub(r"{(\w+)}", lambda found: f"{{{NAMES[found.group(1)]}}}", exchange.template)
        operation = self._paths.get(template, {}).get(exchange.method.lower())
        if operation is None:
            return [f"no such operation: {exchange.method} {template}"]
        complaints = self._answer(operation, exchange)
        if exchange.status < 300:
            complaints += self._request(operation, exchange)
        return [f"{exchange.method} {template} {exchange.status}: {complaint}" for complaint in complaints]

    def _answer(self, operation: dict[str, Any], exchange: Exchange) -> list[str]:
        described = operation["responses"].get(str(exchange.status))
        if described is None:
            return ["status is not described"]
        content = described.get("content")
        if not content:
            return ["body where none is described"] if exchange.answer else []
        if exchange.content_type not in content:
            return [f"content type {exchange.content_type} is not described"]
        missing = [name for name in described.get("headers", {}) if name not in ("X-System-Warning",)]
        complaints = [f"header {name} is missing" for name in missing if name not in exchange.answer_headers]
        if exchange.content_type.endswith("json"):
            complaints += self._errors(content[exchange.content_type]["schema"], exchange.answer)
        return complaints

    def _request(self, operation: dict[str, Any], exchange: Exchange) -> list[str]:
        known = {item["name"]: item for item in operation.get("parameters", []) if item["in"] == "query"}
        complaints = [f"query {name} is not described" for name in exchange.query if name not in known]
        complaints += [
            f"query {name} is missing"
            for name, item in known.items()
            if item.get("required") and name not in exchange.query
        ]
        if operation.get("security") and "Authorization" not in exchange.headers:
            complaints.append("Authorization is missing")
        described = operation.get("requestBody", {}).get("content", {})
        if "application/json" in described and exchange.body:
            complaints += self._errors(described["application/json"]["schema"], exchange.body)
        elif not described and exchange.body:
            complaints.append("body where none is described")
        return complaints

    def _errors(self, schema: dict[str, Any], body: bytes) -> list[str]:
        validator = self._validators.get(id(schema))
        if validator is None:
            validator = Draft202012Validator({**translate(schema), **self._components}, format_checker=FORMATS)
            self._validators[id(schema)] = validator
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.loads(body))]


def translate(node: Any) -> Any:
    """Return an OpenAPI 3.0 schema as JSON Schema: nullable; members that are not described are refused."""
    if isinstance(node, list):
        return [translate(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {name: translate(value) for name, value in node.items() if name not in ("nullable", "example", "examples")}
    if isinstance(found.get("properties"), dict) and "additionalProperties" not in found:
        found["additionalProperties"] = False
    if node.get("nullable") is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found


@cache
def contract() -> Contract:
    """Return the contract."""
    return Contract(ksef_openapi())


class Witness:
    """An observer of a sandbox that keeps what breaks the contract."""

    def __init__(self) -> None:
        self._contract = contract()
        self.complaints: list[str] = []
        self.seen: set[tuple[str, str, int]] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Check one exchange."""
        if exchange.template.startswith(STORAGE):
            return
        self.seen.add((exchange.method, exchange.template, exchange.status))
        self.complaints += self._contract.check(exchange)
