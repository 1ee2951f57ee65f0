"""The hub's help in Polish (see help_pl.py)."""

from __future__ import annotations

from typing import Final

HUB_OPTIONS: Final[dict[str, str]] = {
    "How it was settled; for the hub's log.": "Jak ją załatwiono; do dziennika centrali.",
    "Folder with a file NIP-NAME.token for each till: read where it is, made where it is not.": (
        "Katalog z plikiem NIP-NAZWA.token dla każdej kasy: wczytywanym, gdy już jest, a tworzonym, gdy go nie ma."
    ),
    "Settings (default: $KSEF_AGENT_HUB_CONFIG, /etc/ksef-agent/hub.toml, ./hub.toml).": (
        "Ustawienia (domyślnie: $KSEF_AGENT_HUB_CONFIG, /etc/ksef-agent/hub.toml, ./hub.toml)."
    ),
    "Do not call KSeF and Latarnia, nor read the whole database (before systemd's start).": (
        "Nie łącz się z KSeF i Latarnią ani nie czytaj całej bazy danych (przed startem przez systemd)."
    ),
    "Replace FILE where it exists.": "Zastąp PLIK, jeżeli istnieje.",
    "Do nothing where there is no SQLite database.": "Nie rób nic, jeżeli nie ma bazy SQLite.",
    "Port of the fleet page.": "Port strony sieci.",
    "Shown on the fleet page.": "Pokazywana na stronie sieci.",
    "KSeF certificate of type Authentication (PEM, or PKCS#12).": (
        "Certyfikat KSeF typu Authentication (PEM albo PKCS#12)."
    ),
    "Its private key (PEM); not for PKCS#12.": "Jego klucz prywatny (PEM); nie dla PKCS#12.",
    "Passphrase of the key.": "Hasło klucza.",
    "A KSeF token instead of a certificate.": "Token KSeF zamiast certyfikatu.",
    "Whose the certificate is, where it is not the seller's.": (
        "NIP właściciela certyfikatu, jeżeli nie jest to sprzedawca."
    ),
    "Context of the log-in, where it is not the seller's NIP.": (
        "Kontekst logowania, jeżeli nie jest nim NIP sprzedawcy."
    ),
    "Internal identifier as the context of the log-in.": "Identyfikator wewnętrzny jako kontekst logowania.",
    "Renew the certificate by itself.": "Odnawiaj certyfikat samodzielnie na tyle dni przed końcem.",
    "Its seller; needed where there are several.": "Jej sprzedawca; potrzebny, gdy jest ich kilku.",
    "Only of this seller.": "Tylko tego sprzedawcy.",
    "Where it stands; shown on the fleet page.": "Gdzie stoi; pokazywane na stronie sieci.",
    "A series of its invoice numbers, e.g. FV-7; may be repeated. Without it, it may hand over any number.": (
        "Seria jej numerów faktur, np. FV-7; można powtarzać. Bez tej opcji kasa może przekazać każdy numer."
    ),
    "viewer: fleet and search; auditor: register, evidence, search; manager: everything; monitor: /metrics.": (
        "viewer: sieć i szukanie; auditor: rejestr, dowody, szukanie; manager: wszystko; monitor: /metrics."
    ),
    "Revoke it at KSeF as well: code II of papers that were signed with it no longer verifies.": (
        "Unieważnij go też w KSeF: kod II na papierach nim podpisanych przestanie się weryfikować."
    ),
    "Only this seller; without it, all of the hub.": "Tylko ten sprzedawca; bez tej opcji wszyscy w centrali.",
    "Seconds to wait for that.": "Ile sekund na to czekać.",
    "Take new invoices again.": "Przyjmuj znowu nowe faktury.",
    "Validity of hub.crt.": "Ile dni ma być ważny hub.crt.",
}
HUB_COMMANDS: Final[dict[str, str]] = {
    "hub": "Centrala sieci: przyjmuje faktury kas, doprowadza je do KSeF, pilnuje kas.",
    "hub run": (
        "Uruchom proces centrali (do sygnału SIGTERM): przyjmuje faktury, łączy się z KSeF, odpowiada kasom i ludziom."
        "\n\nNad PostgreSQL może działać dowolnie wiele procesów; każdy NIP prowadzi w danej chwili jeden z nich."
    ),
    "hub check": (
        "Sprawdź wszystko, czego potrzebuje centrala, i nazwij każdy problem; kod wyjścia 1, gdy któryś "
        "uniemożliwia pracę."
    ),
    "hub seller": "Sprzedawcy (NIP), dla których wysyła centrala, każdy z własnymi poświadczeniami.",
    "hub seller add": "Dodaj sprzedawcę NIP. Pliki zostają na miejscu; centrala czyta je stamtąd.",
    "hub seller list": "Wypisz sprzedawców.",
    "hub seller remove": "Przestań wysyłać dla sprzedawcy NIP; nie może mieć kas ani faktur, których nie ma w KSeF.",
    "hub till": "Kasy, które zgłaszają się do centrali.",
    "hub till add": "Dodaj kasę NAME i wypisz jej kod dostępu, tylko ten jeden raz.",
    "hub till import": (
        "Dodaj wszystkie kasy z pliku FILE: tablicy JSON, jaką wypisuje `till list --json` (- czyta ją ze "
        "standardowego wejścia).\n\nKod kasy to jej pole „token”, inaczej jej plik w katalogu, a gdy go nie ma – "
        "nowy, który tam trafi. Kasa, którą centrala zna, zostaje bez zmian, chyba że podano inny kod. "
        "Jeżeli lista podaje jej inny sklep albo inne serie, polecenie o tym mówi (w JSON: „differs”) i kończy się "
        "kodem 1. Można uruchamiać wielokrotnie."
    ),
    "hub till list": "Wypisz używane kasy.",
    "hub till revoke": (
        "Wycofaj na zawsze kod kasy: od następnego zapytania jest odrzucany. To, co przekazała, idzie dalej."
    ),
    "hub till token": "Wypisz nowy kod kasy NAME w miejsce starego, tylko ten jeden raz.",
    "hub till adopt": (
        "Niech kasą będzie ta, która zgłosi się jako NAME następna: po wymianie dysku albo gdy druga kasa o tej "
        "nazwie już nie działa.\n\nNowa baza liczy swoje serie od 1. Najpierw przywróć kopię starej albo nadaj kasie "
        "inną serię."
    ),
    "hub till settle": (
        "Zapisz, że fakturę NUMBER, którą KSeF odrzucił i której kasy już nie ma, załatwiono w jej miejsce."
    ),
    "hub token": "Kody dostępu ludzi. Działająca centrala stosuje zmiany od razu.",
    "hub token add": "Utwórz kod dla NAME i wypisz go, tylko ten jeden raz.",
    "hub token list": "Wypisz nazwy, role i sprzedawców.",
    "hub token revoke": "Wycofaj kod NAME.",
    "hub certificate": "Certyfikaty Offline, które centrala wydaje kasom.",
    "hub certificate list": "Wypisz certyfikaty, kasy, które ich używają, i to, na co KSeF jeszcze pozwala.",
    "hub certificate withdraw": (
        "Niech żadna kasa nie używa już certyfikatu SERIAL, na przykład po kradzieży. Centrala zdobędzie nowy."
        "\n\nKasy przejmą nowy w pół minuty. Wydrukowane papiery zostają, jakie są."
    ),
    "hub backup": (
        "Skopiuj bazę SQLite centrali do nowego pliku FILE, w całości z jednej chwili, i sprawdź kopię."
        "\n\nCentrala może działać. Zbyt stara kopia jest problemem na stronie sieci. Przy PostgreSQL kopie robią jego "
        "narzędzia (pg_basebackup, pg_dump)."
    ),
    "hub demo": (
        "Pokaż sieć kas na tym komputerze (do Ctrl+C): bez konta, bez sprzętu, nic go nie opuszcza."
        "\n\nStrona sieci i przyciski: sprzedaj, niech kasa padnie na zawsze, zerwij łącze do KSeF."
    ),
    "hub status": (
        "Pokaż sprzedawców, kasy, to, czego KSeF jeszcze nie ma, i który proces prowadzi.\n\n"
        "Kod wyjścia 1, gdy na tym komputerze nie odpowiada żadna centrala."
    ),
    "hub drain": (
        "Nie przyjmuj nic nowego i poczekaj, aż wszystko trafi do KSeF; kod wyjścia 1, gdy coś zostało.\n\n"
        "Kasy zachowują to, czego nie mogą przekazać, i sprzedają dalej w trybie offline24. Aktualizacja nie wymaga "
        "opróżniania: nic nie ginie."
    ),
    "hub tls": (
        "Utwórz w katalogu DIRECTORY hub.crt i hub.key dla NAMES (nazw, adresów) oraz ca.crt dla kas.\n\n"
        "Urząd powstaje raz; następnym razem podpisze kolejny certyfikat centrali, do czego ca.key musi znów leżeć "
        "obok ca.crt. ca.key nie powinien leżeć na żadnej kasie ani na centrali."
    ),
}
