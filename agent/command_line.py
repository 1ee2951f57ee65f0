"""The command line: one lazy group, so `ksef-agent --help` and `deadline` do not load the whole agent.

Each command lives in agent/commands/<module>.py as a click command named ``command``. Exit codes:
agent.commands.ending, and 2 wrong use.
"""

from __future__ import annotations

import importlib
import os

import click
from click.shell_completion import CompletionItem

from agent import __version__
from agent.commands.ending import INTERRUPTED, NAME
from agent.commands.help_pl import in_polish
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its module in agent/commands and one line about it in both languages."""

    module: str
    english: str
    polish: str

    @property
    def summary(self) -> str:
        """Return the line in the language of the person at the terminal."""
        return self.polish if polish_is_spoken() else self.english


COMMANDS: dict[str, Entry] = {
    "run": Entry("run", "Run the agent.", "Uruchom program kasy."),
    "demo": Entry(
        "demo",
        "One of every paper through the embedded sandbox.",
        "Każdy rodzaj wydruku przez wbudowaną piaskownicę KSeF.",
    ),
    "sandbox": Entry(
        "sandbox",
        "Run the embedded KSeF, Latarnia and printer.",
        "Uruchom piaskownicę: wbudowany KSeF, Latarnię i drukarkę.",
    ),
    "check": Entry(
        "check",
        "Check settings, certificates, clock, printer, KSeF, disk: every problem at once.",
        "Sprawdź ustawienia, certyfikaty, zegar, drukarkę, KSeF i dysk: wszystkie problemy naraz.",
    ),
    "issue": Entry("issue", "Issue the invoice of a sale in FILE.", "Wystaw fakturę do sprzedaży z pliku."),
    "status": Entry("status", "Show mode, queue and problems.", "Pokaż tryb, kolejkę i problemy."),
    "queue": Entry(
        "queue", "List invoices that KSeF does not have yet.", "Pokaż faktury, których KSeF jeszcze nie ma."
    ),
    "sync": Entry("sync", "Send what waits, now.", "Wyślij teraz to, co czeka."),
    "mode": Entry("mode", "Show, declare or withdraw a mode.", "Pokaż, włącz lub odwołaj tryb wystawiania."),
    "clock": Entry("clock", "Show or confirm the till's clock.", "Pokaż albo potwierdź zegar kasy."),
    "deadline": Entry(
        "deadline", "Explain the deadline for sending an invoice.", "Wyjaśnij termin przesłania faktury do KSeF."
    ),
    "register": Entry(
        "register", "The register of invoices and the JPK markers.", "Rejestr faktur miesiąca i oznaczenia do JPK."
    ),
    "evidence": Entry(
        "evidence", "Export or verify the evidence for an auditor.", "Zapisz albo sprawdź dowody dla kontroli."
    ),
    "outages": Entry(
        "outages", "List outages; the closing report of one.", "Pokaż przerwy; raport zamknięcia wybranej."
    ),
    "annex": Entry(
        "annex",
        "The annex to the shop's accounting policy, from the settings.",
        "Załącznik do polityki rachunkowości sklepu, z ustawień.",
    ),
    "retention": Entry(
        "retention",
        "Erase consumers' data whose retention is over.",
        "Usuń dane osób, których okres przechowywania minął.",
    ),
    "reprint": Entry("reprint", "Print an invoice again.", "Wydrukuj fakturę ponownie."),
    "rejected": Entry(
        "rejected",
        "Decide on what KSeF rejected: technical correction, resend, close.",
        "Zdecyduj o odrzuconych przez KSeF: korekta techniczna, ponowne przesłanie, zamknięcie sprawy.",
    ),
    "print-test": Entry("print_test", "Print the calibration slip.", "Wydrukuj próbny pasek z literami i kodami QR."),
    "enroll": Entry("enroll", "Get a KSeF certificate.", "Pobierz certyfikat KSeF."),
    "token": Entry("token", "Tokens of tills and managers.", "Kody dostępu kas i kierowników."),
    "backup": Entry("backup", "Copy the database while the agent runs.", "Zrób kopię bazy w czasie pracy programu."),
    "restore": Entry("restore", "Put a backup back in place.", "Przywróć kopię bazy."),
    "correct": Entry("correct", "Correct an invoice: return, price, buyer.", "Skoryguj fakturę: zwrot, cena, nabywca."),
    "outbox": Entry(
        "outbox",
        "Webhooks to the shop's system: status, replay.",
        "Zdarzenia dla systemu sklepu: stan i ponowne przesłanie.",
    ),
    "export": Entry("export", "Export old invoices and make room.", "Wyeksportuj stare faktury i zwolnij miejsce."),
    "hub": Entry(
        "hub", "The hub of a chain: all its tills, one courier.", "Centrala sieci: wszystkie kasy, jeden kurier."
    ),
}


def polish_is_spoken() -> bool:
    """Whether the locale of messages is Polish (locale(7): LC_ALL, then LC_MESSAGES, then LANG)."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return value.lower().startswith("pl")
    return False


class LazyGroup(click.Group):
    """Loads a command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module; on a Polish terminal it explains itself in Polish."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"agent.commands.{entry.module}")
        command: click.Command = module.command
        return in_polish(command, cmd_name) if polish_is_spoken() else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, without importing the commands."""
        names = [CompletionItem(name, help=entry.summary) for name, entry in COMMANDS.items()]
        found = [item for item in names if item.value.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 refused or found wanting, 2 wrong use, 3 wrong settings, "
    "4 no answer: nobody knows whether it was done. "
    "Most commands reach the running agent over its API, or do the work themselves where none runs.",
)
@click.version_option(__version__, prog_name=NAME)
def cli() -> None:
    """KSeF till agent: invoices at the counter, online and offline."""


def run() -> int:
    """Run a command; return its exit code. Errors of ours come out as they are."""
    try:
        # Not in click's standalone mode: a command's `raise Exit(1)` comes back as its return value.
        spoken = in_polish(cli, NAME) if polish_is_spoken() else cli
        code = spoken.main(prog_name=NAME, standalone_mode=False)
    except click.Abort as stop:
        return INTERRUPTED if isinstance(stop.__cause__, KeyboardInterrupt) else 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0
