"""The steps of the hardware day, in their order. docs/hardware-day.md tells the same to the shop; a test compares."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from agent.domain.values import dataclass
from agent.ports import Outcome
from printers.device import status_bytes as trouble
from printers.hardware_day.slips import LONG_LINES, Slip

DONE = frozenset({Outcome.DONE})
NOT_SENT = frozenset({Outcome.NOT_SENT})
UNKNOWN = frozenset({Outcome.UNKNOWN})
DONE_OR_UNKNOWN = DONE | UNKNOWN


class Kind(StrEnum):
    """What an answer is."""

    CHOICE = "choice"
    NUMBER = "number"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Question:
    """What the person is asked, in Polish; ``choices``: code and words of each."""

    name: str
    text: str
    choices: tuple[tuple[str, str], ...] = ()
    kind: Kind = Kind.CHOICE


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``before``: to do, then Enter; ``during``: to do while it prints; ``slips`` None: nothing is printed.

    ``outcomes`` and ``codes``: what a printer that answers is expected to lead to (no code is always right with DONE).
    """

    name: str
    title: str
    before: str
    slip: Slip | None = Slip.SHORT
    during: str = ""
    copies: int = 1
    outcomes: frozenset[Outcome] = DONE
    codes: frozenset[str] = frozenset()
    questions: tuple[Question, ...] = ()
    photograph: bool = False
    connections: frozenset[str] = frozenset({"tcp", "usb", "serial", "file", "cups"})


YES_NO = (("yes", "tak"), ("no", "nie"))
PAPERS = Question(
    "papers",
    "Ile wyszło z tego kroku? Cały wydruk kończy się wierszem KONIEC.",
    (("none", "nic"), ("part", "część jednego"), ("one", "jeden cały"), ("more", "więcej niż jeden")),
)
COUNT = Question("count", "Ile całych wydruków wyszło? (liczba)", kind=Kind.NUMBER)
LAST_LINE = Question("last-line", "Jaki jest ostatni numer wiersza (kodu) na papierze? (liczba)", kind=Kind.NUMBER)
CLEAN = Question("clean", "Czy wydruk jest czysty: polskie litery, żadnych obcych znaków?", YES_NO)
OLD = Question("old", "Czy wyszło też coś z POPRZEDNIEGO kroku (dalszy ciąg albo inny wydruk)?", YES_NO)
WHOLE_MIDDLE = Question("middle", "Czy numery wierszy idą po kolei, bez dziury w środku?", YES_NO)
WHEN = Question(
    "when",
    "Kiedy program napisał wynik?",
    (("after", "gdy papier już stał"), ("moving", "gdy papier jeszcze szedł"), ("unknown", "nie wiem")),
)
REMARK = Question("remark", "Uwagi (Enter: bez uwag):", kind=Kind.WORDS)

DEVICE = (
    Question("model", "Producent i model (z etykiety pod drukarką):", kind=Kind.WORDS),
    Question(
        "firmware",
        "Wersja oprogramowania (z autotestu: włącz drukarkę z wciśniętym FEED; Enter: nie wiem):",
        kind=Kind.WORDS,
    ),
    Question("year", "Rok zakupu (Enter: nie wiem):", kind=Kind.WORDS),
)
"""About the printer, before the first step."""

_GONE = frozenset(
    {trouble.CONNECTION_LOST.code, trouble.UNCONFIRMED.code, trouble.STALLED.code, trouble.NO_ANSWER.code}
)
_AWAY = frozenset({trouble.UNREACHABLE.code, trouble.NO_ANSWER.code})
_CABLED = frozenset({"tcp", "usb", "serial", "file"})
_PAPER = frozenset({trouble.PAPER_OUT.code, trouble.COVER_OPEN.code})
_REST = (LAST_LINE, WHOLE_MIDDLE, REMARK)
_AFTER = (PAPERS, CLEAN, OLD, REMARK)

STEPS: tuple[Step, ...] = (
    Step("probe", "Pytania bez drukowania", "Drukarka włączona, papier włożony.", slip=None, questions=(REMARK,)),
    Step(
        "calibration",
        "Wydruk próbny",
        "Nic nie zmieniaj.",
        slip=Slip.CALIBRATION,
        photograph=True,
        questions=(
            Question(
                "letters", "Numery wierszy z poprawnymi polskimi literami (np. 18 45; Enter: żaden):", kind=Kind.WORDS
            ),
            Question("width", "Najszersza ramka z całym prawym bokiem (liczba punktów):", kind=Kind.NUMBER),
            Question("native", "Które kody N czyta telefon (np. N4 N6; Enter: żadnego):", kind=Kind.WORDS),
            Question("raster", "Które kody R czyta telefon (np. R4 R6; Enter: żadnego):", kind=Kind.WORDS),
            Question("cut", "Czy papier został odcięty?", YES_NO),
            REMARK,
        ),
    ),
    Step("slip", "Zwykły wydruk", "Nic nie zmieniaj.", questions=(PAPERS, CLEAN, WHEN, REMARK)),
    Step("ten", "Dziesięć wydruków jeden po drugim", "Nic nie zmieniaj.", copies=10, questions=(COUNT, REMARK)),
    Step(
        "long",
        "Długi wydruk (ponad metr)",
        "Przygotuj co najmniej 8 metrów papieru na resztę prób.",
        slip=Slip.LONG,
        questions=(PAPERS, WHEN, *_REST),
    ),
    Step(
        "cover-open",
        "Otwarta pokrywa",
        "Otwórz pokrywę drukarki i zostaw otwartą.",
        outcomes=NOT_SENT,
        codes=_PAPER,
        questions=(PAPERS, REMARK),
    ),
    Step("cover-closed", "Po zamknięciu pokrywy", "Zamknij pokrywę.", questions=_AFTER),
    Step(
        "paper-removed",
        "Bez papieru",
        "Wyjmij rolkę i zamknij pokrywę.",
        outcomes=NOT_SENT,
        codes=_PAPER,
        questions=(PAPERS, REMARK),
    ),
    Step("paper-inserted", "Po włożeniu papieru", "Włóż rolkę i zamknij pokrywę.", questions=_AFTER),
    Step(
        "cover-middle",
        "Pokrywa otwarta w trakcie",
        "Trzymaj rękę na pokrywie.",
        slip=Slip.LONG,
        during="Gdy wyjdzie około 20 cm, otwórz pokrywę. Policz do pięciu i zamknij.",
        outcomes=DONE_OR_UNKNOWN,
        codes=_PAPER | {trouble.UNCONFIRMED.code},
        photograph=True,
        questions=(PAPERS, *_REST),
    ),
    Step(
        "paper-middle",
        "Koniec papieru w trakcie, nowa rolka od razu",
        "Urwij papier tak, by z rolki zostało około 40 cm, i włóż tę końcówkę. Nową rolkę miej w ręce.",
        slip=Slip.LONG,
        during="Gdy papier się skończy, włóż od razu nową rolkę.",
        outcomes=DONE_OR_UNKNOWN,
        codes=_PAPER | {trouble.UNCONFIRMED.code},
        photograph=True,
        questions=(PAPERS, *_REST),
    ),
    Step(
        "paper-abandoned",
        "Koniec papieru w trakcie, nikt nie dokłada",
        "Włóż końcówkę rolki (około 40 cm).",
        slip=Slip.LONG,
        during="Gdy papier się skończy, NIE wkładaj nowego. Czekaj na wynik.",
        outcomes=UNKNOWN,
        codes=_PAPER,
        questions=(PAPERS, LAST_LINE, REMARK),
    ),
    Step(
        "paper-again",
        "Drugie naciśnięcie bez papieru",
        "Nadal bez papieru.",
        outcomes=NOT_SENT,
        codes=_PAPER,
        questions=(PAPERS, REMARK),
    ),
    Step(
        "paper-after",
        "Po włożeniu papieru: czy wyjdzie stary wydruk?",
        "Włóż pełną rolkę i zamknij pokrywę. Poczekaj 10 sekund i patrz, czy coś wychodzi samo.",
        photograph=True,
        questions=_AFTER,
    ),
    Step(
        "cable-middle",
        "Kabel danych wyjęty w trakcie",
        "Złap kabel danych (sieciowy, USB, szeregowy) przy drukarce.",
        slip=Slip.LONG,
        during="Gdy wyjdzie około 10 cm, wyciągnij kabel danych. Nie wkładaj go przed wynikiem.",
        outcomes=DONE_OR_UNKNOWN,
        codes=_GONE,
        photograph=True,
        questions=(PAPERS, *_REST),
        connections=_CABLED,
    ),
    Step(
        "cable-after",
        "Po włożeniu kabla",
        "Włóż kabel. Poczekaj 30 sekund.",
        questions=_AFTER,
        connections=_CABLED,
    ),
    Step(
        "power-off",
        "Drukarka wyłączona",
        "Wyłącz drukarkę wyłącznikiem.",
        outcomes=NOT_SENT,
        codes=_AWAY,
        questions=(PAPERS, REMARK),
        connections=_CABLED,
    ),
    Step("power-on", "Po włączeniu", "Włącz drukarkę. Poczekaj 60 sekund.", questions=_AFTER),
    Step(
        "power-middle",
        "Prąd wyłączony w trakcie",
        "Złap wtyczkę zasilania drukarki.",
        slip=Slip.LONG,
        during="Gdy wyjdzie około 20 cm, wyciągnij wtyczkę zasilania. Nie wkładaj jej przed wynikiem.",
        outcomes=UNKNOWN,
        codes=_GONE,
        photograph=True,
        questions=(PAPERS, LAST_LINE, REMARK),
    ),
    Step("power-after", "Po powrocie prądu", "Włącz zasilanie. Poczekaj 60 sekund.", questions=_AFTER),
    Step(
        "pictures-middle",
        "Kabel wyjęty w środku obrazka",
        "Złap kabel danych przy drukarce.",
        slip=Slip.PICTURES,
        during="Gdy wyjdzie pierwszy kod, wyciągnij kabel danych. Nie wkładaj go przed wynikiem.",
        outcomes=DONE_OR_UNKNOWN,
        codes=_GONE,
        photograph=True,
        questions=(PAPERS, LAST_LINE, REMARK),
        connections=_CABLED,
    ),
    Step(
        "pictures-after",
        "Wydruk po przerwanym obrazku",
        "Włóż kabel. Poczekaj 30 sekund. Drukarki nie wyłączaj.",
        photograph=True,
        questions=_AFTER,
        connections=_CABLED,
    ),
    Step(
        "drawer",
        "Szuflada",
        "Podłącz szufladę do drukarki i zamknij ją; bez szuflady pomiń ten krok.",
        slip=Slip.DRAWER,
        questions=(
            PAPERS,
            Question("drawer", "Ile razy otworzyła się szuflada? (liczba)", kind=Kind.NUMBER),
            REMARK,
        ),
    ),
)
LAST_NUMBER = LONG_LINES


def steps_for(connection: str) -> Sequence[Step]:
    """Return the steps that a printer on such a connection can be put through."""
    return tuple(step for step in STEPS if connection in step.connections)
