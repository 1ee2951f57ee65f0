"""Every --help in Polish, for a technician with a Polish terminal.

One table from the English text to the Polish one, so that an English text which changes is seen to lack its Polish
(tests/unit/commands/test_cli.py holds the table complete and without leftovers).
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from agent.commands.help_pl_hub import HUB_COMMANDS, HUB_OPTIONS

OPTIONS: Final[dict[str, str]] = {
    "Settings (default: $KSEF_AGENT_CONFIG, /etc/ksef-agent/config.toml, ./config.toml).": (
        "Ustawienia (domyślnie: $KSEF_AGENT_CONFIG, /etc/ksef-agent/config.toml, ./config.toml)."
    ),
    "Settings.": "Ustawienia.",
    "Show this message and exit.": "Pokaż ten tekst i zakończ.",
    "Show the version and exit.": "Pokaż wersję i zakończ.",
    "Print the API's answer.": "Wypisz odpowiedź API.",
    "Answer in JSON.": "Odpowiedz w formacie JSON.",
    "The same as --format json.": "To samo co --format json.",
    "Answer as JSON.": "Odpowiedz w formacie JSON.",
    "Take the PIN of NAME away.": "Usuń PIN kierownika NAME.",
    "Read the PIN from standard input instead of asking.": "Wczytaj PIN ze standardowego wejścia, bez pytania.",
    # demo, sandbox
    "Folder for the papers.": "Katalog na wydruki.",
    "Serve the till page until Ctrl+C instead.": "Zamiast tego uruchom stronę kasy, aż do Ctrl+C.",
    "Port of the till page.": "Port strony kasy.",
    "Port of KSeF; 0 (default): a free one.": "Port KSeF; 0 (domyślnie): dowolny wolny.",
    "Also write settings for `ksef-agent run --config FILE`; its data lies beside FILE.": (
        "Zapisz też ustawienia dla `ksef-agent run --config PLIK`; dane będą obok pliku."
    ),
    "Rate limits: those of production (429 beyond them), or none.": (
        "Limity wywołań: jak w środowisku produkcyjnym (po przekroczeniu 429) albo żadne."
    ),
    # check, issue, status, sync
    "Print the findings as JSON.": "Wypisz wyniki w formacie JSON.",
    "Do not call KSeF, Latarnia and the printers (before systemd's start).": (
        "Nie łącz się z KSeF, Latarnią i drukarkami (przed startem przez systemd)."
    ),
    "Only say where each setting stands: file, line, credential, variable.": (
        "Pokaż tylko, skąd jest każde ustawienie: plik, wiersz, poświadczenie, zmienna."
    ),
    "Idempotency key: the same key never makes a second invoice.": (
        "Klucz idempotencji: ten sam klucz nigdy nie da drugiej faktury."
    ),
    "Of an FA(3) to a fiscal receipt (FP): the buyer's number as the receipt has it.": (
        "Do FA(3) do paragonu (FP): numer nabywcy, który jest na paragonie."
    ),
    "Into [backup] dir, one file a weekday, as the timer does.": (
        "Do katalogu z [backup] dir, osobny plik na każdy dzień tygodnia, jak nocna kopia."
    ),
    "The database in DIR; the settings, which may be wrong, are not read.": (
        "Baza z katalogu DIR; ustawienia, które mogą być błędne, nie są czytane."
    ),
    "Nothing to do where there is no database yet.": "Bez bazy danych nie ma nic do zrobienia.",
    "Print the body of /health.": "Wypisz treść /health.",
    "Seconds to wait for KSeF's answers.": "Ile sekund czekać na odpowiedzi KSeF.",
    "Print the counts.": "Wypisz liczby.",
    # mode, rejected
    "Kept in the log and in the evidence.": "Zostaje w dzienniku i w dowodach.",
    "The total failure never was: every duty to send is back.": (
        "Awarii całkowitej nie było: wszystkie faktury znowu trzeba przesłać."
    ),
    # deadline
    "How the invoice was issued.": "W jakim trybie wystawiono fakturę.",
    "P_1, or the instant; without offset it is Polish time.": (
        "P_1 albo chwila wystawienia; bez przesunięcia to czas polski."
    ),
    "Messages as Latarnia gives them: a list, or an object with messages. - reads stdin.": (
        "Komunikaty tak, jak podaje je Latarnia: lista albo obiekt z polem messages. - czyta ze standardowego wejścia."
    ),
    "Questions (mode, issued, events) as JSON lines on stdin, a line each back.": (
        "Pytania (mode, issued, events) jako wiersze JSON na wejściu, na każde jeden wiersz odpowiedzi."
    ),
    "A further day off; may be repeated.": "Dodatkowy dzień wolny; można powtarzać.",
    # register, evidence, export
    "Month of P_1; for jpk, jpk-csv and changes: of the tax point.": (
        "Miesiąc daty P_1; dla jpk, jpk-csv i zmian: miesiąc obowiązku podatkowego."
    ),
    "Day for which the JPK markers hold; default: today.": "Na który dzień podać oznaczenia JPK; domyślnie dziś.",
    "text: what fits a screen; csv, json: everything; jpk, jpk-csv: rows of JPK_V7M(3); payments: by KSeF number.": (
        "text: to, co mieści się na ekranie; csv, json: wszystko; jpk, jpk-csv: wiersze JPK_V7M(3); "
        "payments: płatności według numeru KSeF."
    ),
    "Tables as a Polish Excel opens them: semicolon, decimal comma, BOM.": (
        "Tabele takie, jak otwiera polski Excel: średnik, przecinek dziesiętny, BOM."
    ),
    "Only outages that touch this day or later.": "Tylko przerwy, które obejmują ten dzień lub późniejsze.",
    "Only outages that touch this day or earlier.": "Tylko przerwy, które obejmują ten dzień lub wcześniejsze.",
    "The PDF to write.": "Plik PDF do zapisania.",
    "Only print what it is filled with, as JSON.": "Tylko wypisz dane, którymi jest wypełniony, jako JSON.",
    "Only tell the periods and what is due; erase nothing.": "Tylko podaj okresy i to, co jest do usunięcia.",
    "Write the report of NAME as PDF.": "Zapisz raport przerwy NAME jako PDF.",
    "Byte order mark in front of a table; default: with --excel.": (
        "Znacznik BOM na początku tabeli; domyślnie razem z --excel."
    ),
    "Only rows whose marker changed since the JPK was filed on that day.": (
        "Tylko wiersze, których oznaczenie zmieniło się od złożenia JPK tego dnia."
    ),
    "The same since rows of that month were last given out (jpk, jpk-csv).": (
        "To samo od chwili, gdy ostatnio pobrano wiersze tego miesiąca (jpk, jpk-csv)."
    ),
    "Only the comparison with what KSeF itself holds of these days.": (
        "Tylko porównanie z tym, co ma z tych dni sam KSeF."
    ),
    "Only the counts: how many offline, by mode, how late.": (
        "Tylko liczby: ile offline, w jakich trybach, ile po czasie."
    ),
    "Write to a file.": "Zapisz do pliku.",
    "First day of issue (P_1).": "Pierwszy dzień wystawienia (P_1).",
    "Last day of issue, included.": "Ostatni dzień wystawienia, włącznie.",
    "The zip to write.": "Plik zip do zapisania.",
    "Folder (default: retention.export_dir).": "Katalog (domyślnie: retention.export_dir).",
    "P_1 before this day (default: today).": "P_1 przed tym dniem (domyślnie: dziś).",
    "Drop bytes of exported invoices older than retention.keep_days.": (
        "Usuń z kasy treść wyeksportowanych faktur starszych niż retention.keep_days."
    ),
    # print-test, enroll, token
    "Lead through a day of trials with one printer: paper, cover, cables, power.": (
        "Poprowadź przez dzień prób jednej drukarki: papier, pokrywa, kable, prąd."
    ),
    "With --full: what was found, as JSON; one not ended goes on (default: in the data directory).": (
        "Z --full: wyniki jako JSON; niedokończone są kontynuowane (domyślnie: w katalogu danych)."
    ),
    "Take the token of this file, made elsewhere (-: standard input). May be repeated; nothing is printed.": (
        "Weź kod z tego pliku, utworzony gdzie indziej (-: wejście standardowe). Można powtarzać; niczego nie pisze."
    ),
    "Only this printer (default: all).": "Tylko ta drukarka (domyślnie: wszystkie).",
    "List all profiles, ours and those of python-escpos, and exit.": (
        "Wypisz wszystkie profile, nasze i z python-escpos, i zakończ."
    ),
    "Print the outcomes as JSON.": "Wypisz wyniki w formacie JSON.",
    "What the certificate is for.": "Do czego ma służyć certyfikat.",
    "Name of the certificate in KSeF (5-100 letters, digits, spaces, - and _).": (
        "Nazwa certyfikatu w KSeF (5-100 liter, cyfr, spacji oraz znaków - i _)."
    ),
    "Do nothing while the pair that is there holds long enough (for roll-outs).": (
        "Nic nie rób, dopóki obecna para jest wystarczająco długo ważna (do wdrożeń)."
    ),
    "Directory for a new pair of files; without it the files of the settings are replaced.": (
        "Katalog na nową parę plików; bez tej opcji zastąpione zostaną pliki wskazane w ustawieniach."
    ),
    "cashier: issue, correct, reprint; manager: also modes, evidence, technical corrections; auditor: read.": (
        "cashier: wystawianie, korekty, ponowny wydruk; manager: także tryby, dowody, korekty techniczne; "
        "auditor: tylko odczyt faktur, rejestrów i dowodów."
    ),
    # backup, restore
    "Replace FILE.": "Zastąp istniejący plik.",
    "The last number used of a series, where it is not the one that was found. May be repeated.": (
        "Ostatni użyty numer serii, jeżeli jest inny niż znaleziony. Można powtarzać."
    ),
    "Do not ask. Refused where nobody knows the last number of a series.": (
        "Nie pytaj. Odmowa, gdy nikt nie zna ostatniego numeru serii."
    ),
    "Answer in JSON; implies --yes.": "Odpowiedz w formacie JSON; oznacza też --yes.",
    # correct, outbox
    "Return of everything that is left; no FILE needed.": "Zwrot wszystkiego, co zostało; bez pliku.",
    "Of an invoice this till does not hold: JSON with base (as it was) and correction; no ID.": (
        "Korekta faktury spoza tej kasy: JSON z polami base (faktura, jaka była) i correction; bez ID."
    ),
    "With --full-return.": "Razem z --full-return.",
    "Idempotency key: the same key never makes a second correction.": (
        "Klucz idempotencji: ten sam klucz nigdy nie da drugiej korekty."
    ),
    "First event again.": "Pierwsze zdarzenie do ponownego przesłania.",
    **HUB_OPTIONS,
}

COMMANDS: Final[dict[str, str]] = {
    "ksef-agent": "Program kasy dla KSeF: faktury przy ladzie, online i offline.",
    "run": (
        "Uruchom program kasy (do sygnału SIGTERM): API i strona kasy, /health dla centrali, wydruki, wysyłanie.\n\n"
        "Uruchamia go systemd. Zatrzymanie kończy najpierw rozpoczęte faktury."
    ),
    "demo": (
        "Pokaż działanie na wbudowanej piaskownicy: bez konta i sprzętu, nic nie opuszcza tego komputera.\n\n"
        "Zapisuje po jednym wydruku każdego rodzaju (PNG, tekst, ESC/POS); z --page człowiek naciska „Faktura” "
        "w przeglądarce."
    ),
    "sandbox": (
        "Uruchom KSeF 2.9.0, Latarnię i drukarkę sieciową na adresie lokalnym, na życzenie z usterkami.\n\n"
        "Pierwszy wiersz wyjścia to JSON z adresami i danymi logowania."
    ),
    "check": (
        "Sprawdź ustawienia, certyfikaty, zegar, drukarkę, KSeF, Latarnię i dysk; nic nie zmienia i nie drukuje.\n\n"
        "Wszystkie problemy naraz, każdy ze wskazówką. Kod wyjścia 1, gdy coś jest źle, 3, gdy błędne są "
        "ustawienia. Jako root sprawdza z uprawnieniami usługi: jej użytkownik, urządzenia, poświadczenia."
    ),
    "issue": (
        "Wystaw i wydrukuj fakturę do sprzedaży z pliku (JSON, gotowa FA(3) w XML albo EDI++); „-” czyta wejście.\n\n"
        "Bez --key każde wywołanie to nowa sprzedaż; dokumenty EDI++ rozpoznaje się po numerach. "
        "Opis sprzedaży: docs/api.md. Kod wyjścia 1: nic nie wystawiono albo KSeF odrzucił."
    ),
    "status": "Pokaż tryb, kolejkę i problemy. Kod wyjścia 1, gdy któryś jest krytyczny albo usługa nie działa.",
    "queue": "Pokaż faktury, których KSeF jeszcze nie ma, i korekty, które czekają na numer.",
    "sync": "Wyślij teraz to, co czeka, i poczekaj na odpowiedzi KSeF. Kod wyjścia 1, gdy coś zostało.",
    "mode": (
        "Pokaż, włącz lub odwołaj tryb wystawiania.\n\n"
        "Sklep może ogłosić offline24 albo potwierdzić awarię całkowitą; awarie ogłasza tylko Ministerstwo."
    ),
    "mode show": "Pokaż tryb, w którym powstałaby teraz faktura, i dlaczego.",
    "mode declare": "Ogłoś offline24 albo potwierdź awarię całkowitą podaną przez środki masowego przekazu.",
    "mode withdraw": (
        "Odwołaj to, co ogłoszono; z --false-alarm odrzuć awarię całkowitą, potwierdzoną lub tylko ogłoszoną."
    ),
    "clock": (
        "Pokaż zegar kasy albo potwierdź, że jest dobry.\n\n"
        "Gdy daty nic nie potwierdza, kasa nie wystawia faktur: czeka na KSeF, serwer czasu albo kierownika."
    ),
    "clock show": "Pokaż, co wskazuje zegar i kto go potwierdził.",
    "clock confirm": "Potwierdź, że zegar jest dobry; DATE to data, którą pokazuje (RRRR-MM-DD).",
    "deadline": "Wyjaśnij, do kiedy faktura musi trafić do KSeF.",
    "register": (
        "Wypisz rejestr miesiąca z oznaczeniami JPK_V7M (OFF, BFK, DI albo numer KSeF).\n\n"
        "Kod wyjścia 1, gdy --ksef znajdzie różnice."
    ),
    "evidence": "Zapisz dowody z wybranego okresu w jednym pliku zip albo sprawdź taki plik.",
    "evidence verify": (
        "Sprawdź wszystkie skróty, łańcuch dziennika oraz zgodność faktur, UPO i dziennika. Kod 1: coś jest źle."
    ),
    "outages": (
        "Wypisz przerwy (KSeF, prace serwisowe, łącze tego sklepu) albo raport zamknięcia jednej z nich, według nazwy."
    ),
    "annex": ("Zapisz załącznik do polityki rachunkowości z ustawień: PDF, po polsku, dwie strony."),
    "retention": "Usuń dane osób, których okres przechowywania minął; program robi to sam raz dziennie.",
    "reprint": (
        "Wydrukuj fakturę ponownie, z oznaczeniem WYDRUK PONOWNY; ID to jej identyfikator albo numer.\n\n"
        "Identyfikator korekty, która czeka (podaje go `queue`), drukuje ponownie potwierdzenie dla klienta. "
        "Kod wyjścia 1, gdy nic się nie wydrukowało."
    ),
    "rejected": (
        "Zakończ sprawę odrzuconej faktury: korekta techniczna, ponowne przesłanie, zamknięcie.\n\n"
        "ID to identyfikator albo numer faktury; co czeka na decyzję, pokazują `queue` i `status`."
    ),
    "rejected technical": (
        "Wyślij tę samą treść jako nowy plik (korekta techniczna), jeden raz; dla faktur wystawionych offline.\n\n"
        "FILE: poprawiony plik FA(3) o tej samej treści; bez niego program robi nowy plik z zapisanego."
    ),
    "rejected resend": "Prześlij ten sam plik jeszcze raz, gdy nadano uprawnienia, których brakowało (410, 415).",
    "rejected close": (
        "Zamknij sprawę odrzuconej faktury, której sprzedaż ma inny dokument, albo niemożliwej korekty.\n\n"
        "Także kopii, której centrala nie przyjmuje do swoich ksiąg. Kończy to alarmy; nie da się tego cofnąć."
    ),
    "print-test": (
        "Wydrukuj pasek z literami, szerokościami i kodami QR i podpowiedz ustawienia. "
        "Jako root drukuje z uprawnieniami usługi."
    ),
    "enroll": (
        "Pobierz certyfikat KSeF: klucz nigdy nie opuszcza tego komputera. Przerwane pobieranie jest kontynuowane."
    ),
    "token": "Kody dostępu kas i kierowników. Działający program stosuje zmiany od razu.",
    "token add": (
        "Utwórz kod dla NAME i wypisz go, tylko ten jeden raz.\n\n"
        "Z --from-file kod podaje centrala: NAME ma odtąd ten kod, cokolwiek miał wcześniej."
    ),
    "token list": "Wypisz nazwy i role.",
    "token pin": (
        "Ustaw PIN, którym kierownik NAME wchodzi na stronie kasy; kończy też blokadę.\n\n"
        "Od 6 do 12 cyfr. Nie użyje go żaden program: strona podaje go obok kodu kasy, najwyżej dziesięć razy z rzędu."
    ),
    "token revoke": "Wycofaj kod NAME.",
    "backup": (
        "Skopiuj bazę do pliku i sprawdź kopię. Program może działać; sprzedaż nie czeka.\n\n"
        "Kopia, która się nie udała albo jest za stara, jest problemem w /health."
    ),
    "restore": (
        "Sprawdź plik i wstaw go w miejsce bazy, która zostaje zachowana obok. Program nie może w tym czasie działać."
        "\n\nNumery idą dalej po ostatnim użytym: według zastępowanej bazy, zapisu obok niej, innych kopii i KSeF."
    ),
    "correct": (
        "Skoryguj fakturę podaną przez identyfikator albo numer; FILE zawiera korektę jako JSON (docs/api.md).\n\n"
        "Gdy faktura nie ma jeszcze numeru KSeF, korekta czeka i zostanie wystawiona sama, gdy numer nadejdzie. "
        "Kod wyjścia 1: nic nie wystawiono albo KSeF odrzucił."
    ),
    "outbox": "Zdarzenia dla systemu sklepu (docs/webhooks.md).",
    "outbox status": "Pokaż, co ma każdy odbiorca i co go zatrzymuje.",
    "outbox replay": "Prześlij ponownie wszystkie zdarzenia od N; N większe od kursora pomija to, co jest pomiędzy.",
    "export": "Wyeksportuj przyjęte faktury, każdą w osobnym pliku ZIP. Program może działać.",
    **HUB_COMMANDS,
}
"""By the words of the command; the whole of its help."""

EPILOG: Final = (
    "Kody wyjścia: 0 zrobione, 1 odmowa albo wykryte braki, 2 złe użycie, 3 błędne ustawienia, "
    "4 brak odpowiedzi: nie wiadomo, czy się wykonało. Większość poleceń "
    "korzysta z API działającego programu, a gdy żaden nie działa, wykonuje pracę sama."
)

_HEADINGS: Final = {"Options": "Opcje", "Commands": "Polecenia"}
_REMARKS: Final = {"[default: ": "[domyślnie: ", "required]": "wymagane]"}


class PolishFormatter(click.HelpFormatter):
    """click's headings and remarks in Polish."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how the command is called."""
        super().write_usage(prog, args, "Użycie: " if prefix is None else prefix)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Write a heading and indent what follows."""
        with super().section(_HEADINGS.get(name, name)):
            yield

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms and what they mean."""
        super().write_dl([(term, _remarked(words)) for term, words in rows], col_max, col_spacing)


class PolishContext(click.Context):
    """A context whose help is Polish."""

    formatter_class = PolishFormatter


def in_polish(command: click.Command, name: str) -> click.Command:
    """Return a copy of a command, its options and its own commands, that explains itself in Polish."""
    spoken = copy.copy(command)
    spoken.context_class = PolishContext
    spoken.help = COMMANDS.get(name, command.help)
    spoken.epilog = EPILOG if command.epilog else None
    spoken.params = [_parameter(parameter) for parameter in command.params]
    if isinstance(spoken, click.Group):
        spoken.commands = {word: in_polish(each, f"{name} {word}") for word, each in spoken.commands.items()}
    return spoken


def _parameter(parameter: click.Parameter) -> click.Parameter:
    if not isinstance(parameter, click.Option) or parameter.help is None:
        return parameter
    spoken = copy.copy(parameter)
    spoken.help = OPTIONS.get(inspect.cleandoc(parameter.help), parameter.help)
    return spoken


def _remarked(words: str) -> str:
    words = OPTIONS.get(words, words)  # --help and --version are click's own
    for english, polish in _REMARKS.items():
        words = words.replace(english, polish)
    return words
