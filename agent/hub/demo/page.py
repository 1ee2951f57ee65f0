"""The demo's buttons: sell on a till, let a till die for good, cut the line to KSeF and mend it."""

from __future__ import annotations

from aiohttp import web

from agent.domain.errors import AgentError
from agent.hub.demo.chain import DemoChain
from agent.hub.web.context import PERSON
from agent.hub.web.pages.handlers import html
from agent.hub.web.pages.markup import Markup, join, page, table, tag
from agent.hub.web.people import Right, allowed, require_own_origin


def routes(chain: DemoChain) -> list[web.RouteDef]:
    """The routes of the demo."""
    said: list[str] = []

    async def show(request: web.Request) -> web.StreamResponse:
        """GET /demo."""
        ledger = len(chain.sandbox.ledger.entries())
        rows = [
            (
                f"kasa {each.number}",
                "działa" if each.alive else "nie żyje",
                join(
                    (
                        _button(f"sell/{each.number}", "Sprzedaj"),
                        _button(f"die/{each.number}", "Niech padnie na zawsze"),
                    )
                )
                if each.alive
                else "",
                tag("code", f"{each.api} {each.token}"),
            )
            for each in chain.tills
        ]
        return html(
            page(
                "Pokaz: sieć na jednym komputerze",
                request[PERSON],
                tag("p", f"Faktur w KSeF (piaskownica): {ledger}. Kasy nie mają dostępu do KSeF; wysyła centrala."),
                table(("Kasa", "Proces", "", "Strona kasy i kod kasjera"), rows, empty=""),
                tag("p", _button("line/down", "KSeF: zerwij łącze"), _button("line/up", "KSeF: przywróć łącze")),
                tag(
                    "ol",
                    tag(
                        "li",
                        "Zerwij łącze, sprzedaj kilka razy na kasie 2: papiery bez numeru, pliki są już w centrali.",
                    ),
                    tag("li", "Niech kasa 2 padnie. Strona „Kasy” po minucie powie, że milczy i co po niej zostało."),
                    tag("li", "Przywróć łącze: jej faktury docierają do KSeF bez niej."),
                ),
                tag("ul", *(tag("li", each) for each in reversed(said[-10:]))),
            ),
            refresh=True,
        )

    async def act(request: web.Request) -> web.StreamResponse:
        """POST /demo/{what}/{which}."""
        require_own_origin(request)
        what, which = request.match_info["what"], request.match_info["which"]
        try:
            said.append(await _do(chain, what, which))
        except AgentError as error:
            said.append(str(error))
        return web.Response(status=303, headers={"Location": "/demo"})

    return [
        web.get("/demo", allowed(Right.FLEET, show, page=True)),
        web.post("/demo/{what:sell|die}/{which:[123]}", allowed(Right.MANAGE, act, page=True)),
        web.post("/demo/{what:line}/{which:up|down}", allowed(Right.MANAGE, act, page=True)),
    ]


async def _do(chain: DemoChain, what: str, which: str) -> str:
    if what == "line":
        await chain.line(up=which == "up")
        return "KSeF odpowiada." if which == "up" else "KSeF nie odpowiada."
    till = chain.tills[int(which) - 1]
    if what == "sell":
        return await till.sell()
    await till.die()
    return f"Kasa {which} padła i nie wróci."


def _button(action: str, word: str) -> Markup:
    return tag("form", tag("button", word), method="post", action=f"/demo/{action}", class_="inline")
