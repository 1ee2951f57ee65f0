"""The Ministry's white list of VAT payers, as far as a till asks it: one taxpayer by NIP, at a date.

Every NIP whose check digit is right belongs to an invented company, always the same one. Errors have the codes of the
real service (WL-113 length, WL-114 characters, WL-115 check digit, WL-101 no date).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, TypeVar

from aiohttp import web

from agent.ports import Json
from agent.sandbox.ksef.verdicts import nip_adds_up
from agent.sandbox.ksef.wire import json_answer

T = TypeVar("T")
NIP_DIGITS: Final = 10
TRADES: Final = (
    "PRACOWNIA STOLARSKA",
    "HURTOWNIA BUDOWLANA",
    "ZAKŁAD ŚLUSARSKI",
    "PIEKARNIA RZEMIEŚLNICZA",
    "BIURO PROJEKTOWE",
    "WARSZTAT SAMOCHODOWY",
    "KSIĘGARNIA",
)
NAMES: Final = ("JESION", "ŁABĘDŹ", "ŻURAW", "BŁĘKIT", "ŚWIERK", "GWIAZDA", "WIŚNIA", "KŁOS", "ŹDŹBŁO", "MOST", "DĄB")
FORMS: Final = ("SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ", "SPÓŁKA JAWNA", "SPÓŁKA AKCYJNA")
STREETS: Final = ("ŹRÓDLANA", "DŁUGA", "PIĘKNA", "OGRODOWA", "KĄTOWA", "ŁĄKOWA", "ŚWIĘTOJAŃSKA", "MŁYŃSKA")
TOWNS: Final = ("30-123 KRAKÓW", "50-062 WROCŁAW", "80-831 GDAŃSK", "90-001 ŁÓDŹ", "61-701 POZNAŃ", "00-020 WARSZAWA")


class WhiteList:
    """GET /api/search/nip/{nip}?date=YYYY-MM-DD."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get("/api/search/nip/{nip}", self.search)]

    async def search(self, request: web.Request) -> web.Response:
        """Return the taxpayer; 400 with the service's code where the question is wrong."""
        nip = request.match_info["nip"]
        try:
            date.fromisoformat(request.query.get("date", ""))
        except ValueError:
            return _refusal("WL-101", "Pole 'data' nie może być puste.")
        if len(nip) != NIP_DIGITS:
            return _refusal("WL-113", "Pole 'NIP' ma nieprawidłową długość. Wymagane 10 znaków.")
        if not (nip.isascii() and nip.isdigit()):
            return _refusal("WL-114", "Pole 'NIP' zawiera niedozwolone znaki. Wymagane tylko cyfry.")
        if not nip_adds_up(nip):
            return _refusal("WL-115", "Nieprawidłowy NIP.")
        now = self._now()
        return json_answer(
            {
                "result": {
                    "subject": subject(nip),
                    "requestId": f"{nip[:5]}-{now:%H%M%S}",
                    "requestDateTime": f"{now:%d-%m-%Y %H:%M:%S}",
                }
            }
        )


def subject(nip: str) -> dict[str, Json]:
    """Return the invented taxpayer of a NIP."""
    number = int(nip)
    name = f"{_pick(TRADES, number)} {_pick(NAMES, number // 7)} {_pick(FORMS, number // 77)}"
    address = f"{_pick(STREETS, number // 11)} {number // 13 % 140 + 1}, {_pick(TOWNS, number // 17)}"
    return {
        "name": name,
        "nip": nip,
        "statusVat": "Czynny",
        "regon": None,
        "pesel": None,
        "krs": None,
        "residenceAddress": None,
        "workingAddress": address,
        "representatives": [],
        "authorizedClerks": [],
        "partners": [],
        "registrationLegalDate": "2010-01-04",
        "accountNumbers": [],
        "hasVirtualAccounts": False,
    }


def _pick(choice: Sequence[T], number: int) -> T:
    return choice[number % len(choice)]


def _refusal(code: str, message: str) -> web.Response:
    return json_answer({"code": code, "message": message}, status=400)
