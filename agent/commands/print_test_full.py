"""`ksef-agent print-test --full`: the hardware day (docs/hardware-day.md) at the terminal, and its protocol file."""

from __future__ import annotations

import asyncio
import platform
import re
import secrets
from pathlib import Path

import click

from agent import __version__
from agent.commands.written import write_file
from agent.domain.errors import Refused
from agent.ports import Clock
from agent.settings.model import PrinterSettings, Settings
from agent.system.durable_files import make_private_folders
from agent.system.os_errors import polish_reason
from printers.hardware_day import protocol as written
from printers.hardware_day.protocol import SERIOUS, Attempt, Finding, Job, Protocol, Setup, State
from printers.hardware_day.run import HardwareDay, Wiretap
from printers.hardware_day.steps import STEPS, Kind, Question, Step
from printers.printer_set import build
from printers.profiles.models import Profile
from printers.transports.open import transport_for
from printers.transports.recording import RecordingTransport

FOLDER = "print-test"
"""In the data directory: the service may write there."""
LARGEST = 32_000_000
"""Bytes of a protocol that is read: a day of many repetitions has 3 MB."""
DIGITS = 6
WORDS_LENGTH = 500
OUTCOMES = {
    "done": "wydrukowano",
    "not_sent": "nie wysłano, nic nie powinno wyjść",
    "unknown": "nie wiadomo, czy wyszło",
}
FINDINGS = {
    Finding.DONE_WITHOUT_PAPER: "program uznał wydruk za pewny, a całego papieru nie ma",
    Finding.PAPER_THOUGH_NOT_SENT: "program uznał, że nic nie wyszło, a papier wyszedł",
    Finding.TOO_MANY_PAPERS: "wyszło więcej wydruków niż zlecono",
    Finding.OLD_PAPER: "wyszedł też stary wydruk",
    Finding.OUTCOME: "inny wynik, niż oczekiwano",
    Finding.TROUBLE: "inna przyczyna, niż oczekiwano",
    Finding.GARBLED: "obce znaki na wydruku",
    Finding.MISSING_LINES: "brak wierszy w środku wydruku",
    Finding.TOO_EARLY: "potwierdzenie przyszło, zanim papier stanął",
    Finding.ANSWERS: "odpowiedzi drukarki nie zgadzają się z ustawieniem answers",
}


def run(settings: Settings, printer: PrinterSettings, file: Path | None, clock: Clock) -> bool:
    """Lead through the day, or through what is left of it. False where something serious or unexpected was found.

    Raises Refused where the protocol cannot be read or written; click.Abort where the person stops (it is resumed).
    """
    place = file or _default_place(settings, printer)
    wiretap = Wiretap(clock)
    transport = RecordingTransport(transport_for(printer), wiretap.tell)
    fleet = build([printer], clock, over=lambda _settings: transport)
    protocol = _read(place) or _fresh(clock)
    setup = _setup(printer, fleet.profile(printer.name))
    if protocol.setups and protocol.setups[0].name != setup.name:
        raise Refused(
            f"{place} to protokół drukarki „{protocol.setups[0].name}”. Podaj inny plik: --protocol.",
            code="other-printer",
        )
    click.echo(f"Protokół: {place}" + (" (dalszy ciąg)" if protocol.attempts else ""))
    click.echo("Przerwać można w każdej chwili (Ctrl+C); to samo polecenie zacznie od niedokończonego kroku.\n")
    day = HardwareDay(
        protocol,
        setup,
        fleet.profile(printer.name),
        fleet.individual[printer.name],
        transport,
        wiretap,
        AtTheTerminal(),
        clock,
        lambda current: write_file(place, written.to_json(current)),
    )
    ended = asyncio.run(day.run())
    return _summary(ended, place)


class AtTheTerminal:
    """The person, by questions and answers of a terminal. Blocking: nothing else goes on in the loop meanwhile."""

    async def begin(self, step: Step, place: int, of: int) -> bool:
        """Tell, and wait for Enter."""
        click.secho(f"\n[{place}/{of}] {step.name}: {step.title}", bold=True)
        click.echo(f"  {step.before}")
        if step.during:
            click.echo(f"  W TRAKCIE: {step.during}")
        return _enter("  Enter: gotowe, zaczynaj; p: pomiń ten krok", unless="p")

    async def printing(self, step: Step) -> None:
        """Say it once more, now."""
        click.secho(f"  DRUKUJĘ. {step.during}", bold=True)

    async def outcome(self, step: Step, job: Job, problem: str | None) -> None:
        """Say what the agent believes."""
        sure = "" if job.confirmed else " (ta drukarka nie potwierdza)"
        click.echo(f"  Wynik po {job.took / 1000:.1f} s: {OUTCOMES[job.outcome]}{sure}. {problem or ''}".rstrip())

    async def answer(self, question: Question) -> str:
        """Ask until the answer is one."""
        click.echo(f"  {question.text}")
        for number, (_, words) in enumerate(question.choices, 1):
            click.echo(f"    {number} = {words}")
        while True:
            said = _line("  >")
            match question.kind:
                case Kind.CHOICE if said.isascii() and said.isdigit() and 1 <= int(said) <= len(question.choices):
                    return question.choices[int(said) - 1][0]
                case Kind.NUMBER if said.isascii() and said.isdigit() and len(said) <= DIGITS:
                    return str(int(said))
                case Kind.WORDS:
                    return said[:WORDS_LENGTH]
            wanted = (
                f"liczbę od 1 do {len(question.choices)}" if question.kind is Kind.CHOICE else "liczbę (0: żadnego)"
            )
            click.echo(f"  Wpisz {wanted}.")

    async def satisfied(self, step: Step, attempt: Attempt) -> bool:
        """Show the findings; offer the step again."""
        for finding in attempt.findings:
            click.secho(f"  ! {FINDINGS[finding]}", bold=finding in SERIOUS)
        if step.photograph:
            click.echo(f"  Sfotografuj wydruk: ma na nim być „{step.name} {attempt.number}”.")
        return _enter("  Enter: dalej; r: powtórz ten krok", unless="r")


def _enter(prompt: str, *, unless: str) -> bool:
    """Ask until it is Enter; False for the one letter that may stand instead."""
    while True:
        said = _line(prompt).lower()
        if said in ("", unless):
            return said == ""
        click.echo(f"  Naciśnij Enter albo wpisz {unless}.")


def _line(prompt: str) -> str:
    """Read one line; click.Abort at its end or at Ctrl+C."""
    said: str = click.prompt(prompt, default="", show_default=False, prompt_suffix=" ")
    return " ".join(said.split())


def _default_place(settings: Settings, printer: PrinterSettings) -> Path:
    folder = settings.data_dir / FOLDER
    try:
        make_private_folders(folder)
    except OSError as error:
        raise Refused(f"Nie można utworzyć {folder}: {polish_reason(error)}.", code="not-written") from error
    return folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', printer.name)}.json"


def _read(place: Path) -> Protocol | None:
    try:
        with place.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"Nie można odczytać {place}: {polish_reason(error)}.", code="not-read") from error
    try:
        return written.from_json(data)
    except written.Unreadable as error:
        raise Refused(f"{place}: {error}. Zacznij w innym pliku: --protocol.", code="not-read") from error


def _fresh(clock: Clock) -> Protocol:
    return Protocol(
        written.FORMAT, written.VERSION, secrets.token_hex(8), __version__, platform.release(), started_at=clock.now()
    )


def _setup(printer: PrinterSettings, profile: Profile) -> Setup:
    return Setup(
        name=printer.name,
        connection=printer.connection,
        profile=profile.name,
        title=profile.title,
        dots=profile.dots,
        columns=profile.columns_a,
        code_page=profile.code_page,
        encoding=profile.encoding,
        qr=profile.qr.value,
        answers=profile.answers.value,
        clears_buffer=profile.clears_buffer,
        cutter=profile.cutter,
        timeout_ms=round(printer.timeout_seconds * 1000),
    )


def _summary(protocol: Protocol, place: Path) -> bool:
    """Show all that was found."""
    click.echo("\nPodsumowanie:")
    good = True
    for step in STEPS:
        attempt = protocol.ended(step.name)
        if attempt is None:
            continue
        if attempt.state is State.SKIPPED:
            click.echo(f"  {step.name:18}pominięto")
            continue
        good = good and not attempt.findings
        click.echo(
            f"  {step.name:18}" + ("; ".join(FINDINGS[one] for one in attempt.findings) or "zgodnie z oczekiwaniem")
        )
    click.echo(f"\nPrześlij nam plik {place} i zdjęcia wydruków. W pliku nie ma danych sklepu ani faktur.")
    return good
