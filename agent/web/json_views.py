"""Answers on their way out: what the types in answers/ say, as HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from agent.services.queries.invoices import IssueAnswer
from agent.web.answers.corrections import pressed
from agent.web.answers.invoice import Invoice
from agent.web.wire import plain


def json_response(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """UTF-8 JSON of an answer."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def issued(answer: IssueAnswer) -> web.Response:
    """201 for a new invoice, 202 for a correction that waits for its base, 200 for a replay of either."""
    body = pressed(answer)
    status, headers = 202, {}
    if isinstance(body, Invoice):
        status, headers = 201, {"Location": f"/v1/invoices/{body.id}"}
    if answer.replayed:
        status = 200
        headers["Idempotent-Replayed"] = "true"
    return json_response(body, status=status, headers=headers)
