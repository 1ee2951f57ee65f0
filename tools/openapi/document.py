"""The documents of schemas/api, put together."""

from __future__ import annotations

import json
from typing import Any, Final

from agent.domain.invoice import VatRate
from agent.domain.records.register import MonthCount
from agent.web.answers.health import Health, PrinterHealth
from agent.web.answers.problem import Problem
from agent.web.problem_codes import PROBLEMS
from tools.openapi import examples
from tools.openapi.inputs import Correction, LineRate, Sale
from tools.openapi.messages import WebhookMessage
from tools.openapi.operations import JSON, OPERATIONS, TAGS, Answer, Operation
from tools.openapi.schema import Components, Schema

NAMES: Final[dict[type, str]] = {
    LineRate: "VatRate",
    VatRate: "RateInForce",
    MonthCount: "RegisterCounts",
    PrinterHealth: "Printer",
}
"""Types that are published by another name than the code's: a published one stays."""
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
PROBLEM_TYPE: Final = "application/problem+json"
DESCRIPTION: Final = """\
Issue invoices at a till through KSeF, online and offline. Amounts are decimal strings, dates ISO, instants carry \
Poland's offset. Fields may be added to answers; none is removed or changes its meaning. Unknown fields of a request \
are refused."""
HEADERS: Final[dict[str, Schema]] = {
    "Idempotent-Replayed": {
        "description": "true: the key was seen before; nothing was made or printed",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Location": {"description": "Where the invoice is", "schema": {"type": "string"}},
    "X-Upo-Scope": {
        "description": "Whether it confirms this invoice alone, or is a page of its session's that names many",
        "schema": {"type": "string", "enum": ["invoice", "session"]},
    },
    "X-Pages": {"description": "How many pages the picture has", "schema": {"type": "integer", "minimum": 1}},
    "Link": {"description": 'The next page, where there is one (rel="next")', "schema": {"type": "string"}},
}
STATUSES: Final[dict[int, tuple[str, str]]] = {
    400: ("BadRequest", "The request cannot be read"),
    401: ("Unauthorized", "Who asks is not known"),
    403: ("Forbidden", "Not with this role, or not from this origin"),
    404: ("NotFound", "There is no such thing"),
    408: ("RequestTimeout", "The body did not arrive in time"),
    409: ("Conflict", "The law, KSeF or the state of the invoice forbids it"),
    413: ("ContentTooLarge", "The body is too large"),
    415: ("UnsupportedMediaType", "Another Content-Type or Content-Encoding is expected"),
    417: ("ExpectationFailed", "No other Expect than 100-continue"),
    421: ("MisdirectedRequest", "The Host header is not an address of this agent"),
    422: ("UnprocessableContent", "The content is wrong; `errors` names each place"),
    500: ("InternalServerError", "A defect"),
    503: ("ServiceUnavailable", "Cannot be done now; repeat with the same key"),
    507: ("InsufficientStorage", "No room on the disk; nothing was stored"),
}


def openapi() -> Schema:
    """Return the OpenAPI document."""
    components = Components(NAMES)
    paths: dict[str, dict[str, Schema]] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method] = _operation(each, components)
    webhook = _webhook(components)
    problem = components.of(Problem)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ksef-agent, the till's API",
            "version": "1",
            "description": DESCRIPTION,
            "contact": {"name": "Whoever runs the till"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {
                "url": "http://127.0.0.1:8780",
                "description": "The agent, on the till itself; api.host and api.port may say otherwise",
            }
        ],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{"bearer": []}],
        "paths": paths,
        "webhooks": {"invoiceEvent": {"post": webhook}},
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "ksef-agent token add NAME --role cashier|manager|auditor",
                }
            },
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "required": True,
                    "description": "One per basket; 1 to 255 visible ASCII characters. The same key and body (the same "
                    "JSON, however written) give the same invoice, for ever.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "examples": ["basket-4711"]},
                }
            },
            "headers": HEADERS,
            "responses": _problems(problem),
            "schemas": dict(sorted(components.schemas.items())),
        },
    }


def standing_alone(kind: type, name: str, title: str, *, body: bool = False, sample: object = None) -> Schema:
    """Return the schema of one type as a document of its own."""
    components = Components(NAMES, "#/$defs/")
    components.of(kind, body=body)
    top = components.schemas.pop(kind.__name__)
    schema = {"$schema": DRAFT, "$id": f"urn:ksef-agent:schema:{name}", "title": title, **top}
    if sample is not None:
        schema["examples"] = [sample]
    return schema | ({"$defs": dict(sorted(components.schemas.items()))} if components.schemas else {})


def documents() -> dict[str, str]:
    """Return the files of schemas/api by name."""
    sale = examples.SALES["firm"]["value"]
    found = {
        "openapi.json": openapi(),
        "sale.schema.json": standing_alone(Sale, "sale", "POST /v1/invoices", body=True, sample=sale),
        "health.schema.json": standing_alone(Health, "health", "GET /health"),
    }
    return {name: json.dumps(each, ensure_ascii=False, indent=1) + "\n" for name, each in found.items()}


def _operation(each: Operation, components: Components) -> Schema:
    notes = [f"{each.summary}.", each.description, each.whose]
    found: Schema = {
        "operationId": each.name,
        "tags": [each.tag],
        "summary": each.summary,
        "description": " ".join(note for note in notes if note),
    }
    if each.open:
        found["security"] = []
    if parameters := _parameters(each):
        found["parameters"] = parameters
    if each.bodies:
        content = {media: _content(media, kind, components, each.name) for media, kind in each.bodies.items()}
        found["requestBody"] = {"required": each.body_required, "content": content}
    answers = {str(status): _answer(answer, components) for status, answer in each.answers.items()}
    refusals = {str(status): {"$ref": f"#/components/responses/{STATUSES[status][0]}"} for status in _statuses(each)}
    found["responses"] = answers | refusals | {"default": {"$ref": "#/components/responses/Problem"}}
    return found


_STEPS: Final = {"nip": "NIP, ten digits", "name": "`name` of the list"}
"""What a step of a path is, where it is no id."""


def _parameters(each: Operation) -> list[Schema]:
    steps = [step[1:-1] for step in each.path.split("/") if step.startswith("{")]
    found: list[Schema] = [
        {
            "name": step,
            "in": "path",
            "required": True,
            "description": _STEPS.get(step, "`id` of the answer that made it"),
            "schema": {"type": "string"},
        }
        for step in steps
    ]
    if each.keyed:
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    for query in each.query:
        found.append(
            {
                "name": query.name,
                "in": "query",
                "required": query.required,
                "description": query.description,
                "schema": dict(query.schema),
            }
        )
    return found


def _statuses(each: Operation) -> list[int]:
    """Return with which statuses the route may refuse."""
    if each.open:
        return [400, 421]
    found = {400, 401, 403, 421, 500, 503}
    if "{" in each.path:
        found.add(404)
    if each.bodies:
        found |= {408, 413, 415, 417, 422}
    if each.method != "get":
        found.add(507)
    if each.conflicts:
        found.add(409)
    return sorted(found)


def _answer(answer: Answer, components: Components) -> Schema:
    content = {media: _content(media, kind, components) for media, kind in answer.content.items()}
    found: Schema = {"description": answer.description, "content": content}
    if answer.headers:
        found["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    return found


def _content(media: str, kind: Any, components: Components, body_of: str = "") -> Schema:
    if kind is object:
        return {"schema": {"type": "object"}}
    if kind is None:
        return {"schema": {"type": "string"} if media.startswith("text/") else {"type": "string", "format": "binary"}}
    found: Schema = {"schema": components.of(kind, body=bool(body_of))}
    if kind is Sale:
        found["examples"] = examples.SALES
    if kind is Correction:
        found["examples"] = {"return": {"summary": "One piece of the first line comes back", "value": examples.RETURN}}
    if found["schema"].get("$ref", "").endswith("/Invoice") and media == JSON:
        found["examples"] = {"accepted": {"summary": "Accepted by KSeF", "value": examples.INVOICE}}
    return found


def _problems(problem: Schema) -> dict[str, Schema]:
    found = {"Problem": {"description": "Problem document (RFC 9457)", "content": {PROBLEM_TYPE: {"schema": problem}}}}
    for status, (name, text) in STATUSES.items():
        codes = ", ".join(f"`{code}`" for code, kind in PROBLEMS.items() if kind.status == status)
        content: Schema = {"schema": problem}
        if status == 422:
            content["examples"] = {"rate": {"summary": "A wrong rate", "value": examples.PROBLEM}}
            codes += ", and the codes of `errors`"
        found[name] = {"description": f"{text}. Codes: {codes}", "content": {PROBLEM_TYPE: content}}
    return found


def _webhook(components: Components) -> Schema:
    signature = {
        "name": "X-Ksef-Agent-Signature",
        "in": "header",
        "required": True,
        "description": "t=<unix seconds>,v1=<hex>: HMAC-SHA256 with the shared secret over `<t>.<body>`",
        "schema": {"type": "string"},
    }
    return {
        "operationId": "invoiceEvent",
        "tags": ["webhooks"],
        "summary": "What became of an invoice",
        "description": "At least once, in order, signed; see docs/webhooks.md for the receiver's side.",
        "security": [],
        "parameters": [signature],
        "requestBody": {"required": True, "content": {JSON: {"schema": components.of(WebhookMessage)}}},
        "responses": {
            "204": {"description": "Taken; any 2xx says so"},
            "4XX": {"description": "Not taken: it comes again, and holds back all that follow"},
        },
    }
