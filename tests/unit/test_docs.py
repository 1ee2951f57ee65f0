"""README and docs/ against the program: commands, options, settings, links, files, events, problem codes, decisions."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import pytest

from agent import command_line
from agent.domain.event_kinds import EventKind
from agent.domain.sale.parse import parse_sale
from agent.settings.load import load
from agent.web.api import routes

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TECHNICIAN = ROOT / "docs" / "technician.md"
FLOWS = ROOT / "docs" / "flows.md"
DOCUMENTS = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "tests" / "reference" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
HUB_EXAMPLE = ROOT / "config.hub.example.toml"
EXAMPLE = ROOT / "config.example.toml"


def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- links, files, sections ---------------------------------------------------------------------------------


def anchors(document: Path) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text_of(document)):
        if re.match(r"https?://", target):
            continue
        found = document.parent / target if target else document
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), f"{target}#{anchor}"


ROOMS = ("agent", "printers", "schemas", "systemd", "packaging", "clients", "examples", "tests", "tools", "docs")
TRACKED = [
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*")
    if path.suffix in {".py", ".js", ".sql", ".md", ".toml", ".yml", ".json", ".css", ".html"} and path.is_file()
]
SUFFIXES = {
    "/".join(path.relative_to(ROOT).parts[-length:])
    for path in [*TRACKED, ROOT / "hatch_build.py"]
    for length in range(1, len(path.relative_to(ROOT).parts) + 1)
}
"""How a file of the repository may be named: by its name, or by the last folders and its name."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_files_named_in_documents_exist(document: Path) -> None:
    for name in re.findall(r"`([\w.-]+/[\w./-]*)`", text_of(document)):
        if name.partition("/")[0] in ROOMS:
            assert (ROOT / name).exists(), name
    for name in re.findall(r"(?<![\w./*-])((?:\w+/)*\w+\.py)\b", text_of(document)):
        assert name in SUFFIXES, name


def test_files_named_in_sources_exist() -> None:
    """A module that moved is not named by its old place: in sources, and in the first docstring of tests."""
    for path in TRACKED:
        if path.suffix not in {".py", ".js", ".sql"}:
            continue
        text = text_of(path) if "tests" not in path.parts else "".join(text_of(path).split('"""')[:2])
        for name in re.findall(r"(?<![\w./*{}-])((?:\w+/)*\w+\.py)\b", text):
            assert name in SUFFIXES, f"{name_of(path)} names {name}"


SECTION = re.compile(r"\b((?:docs/)?(?:\w+/)?(\w+)\.md)\)?, sections? (\d+)")


def test_sections_that_are_cited_exist() -> None:
    """`docs/law.md, section 4` and the like, in documents and sources."""
    cited = {(path, *found) for path in [*TRACKED, *DOCUMENTS] for found in SECTION.findall(text_of(path))}
    assert len(cited) > 40
    for path, target, stem, number in sorted(cited):
        document = ROOT / "docs" / f"{stem}.md"
        assert document.exists(), f"{name_of(path)} cites {target}"
        assert f"\n## {number}. " in text_of(document), f"{name_of(path)} cites {target}, section {number}"


def test_decisions_that_are_cited_exist() -> None:
    known = set(re.findall(r"^## (\d+)\. ", text_of(ROOT / "docs" / "decisions.md"), re.MULTILINE))
    for path in [*TRACKED, *DOCUMENTS, ROOT / "hatch_build.py", ROOT / "Makefile", ROOT / "packaging" / "pip-check"]:
        for number in re.findall(r"decisions\.md\)?, number (\d+)", text_of(path)):
            assert number in known, f"{name_of(path)} cites decision {number}"


def test_documents_named_in_sources_exist() -> None:
    for path in TRACKED:
        for name in re.findall(r"\bdocs/[\w/]+\.(?:md|yml|json|svg)\b", text_of(path)):
            assert (ROOT / name).exists(), f"{name_of(path)} names {name}"


NOTES = re.compile(
    r"\b(DESIGN|DOMAIN|PROTOCOL|PRINTING|RELIABILITY|LAYOUT|CHAIN|EXCHANGE)(\.md|,? section| \d)|\.\./shared"
)
"""Notes the project began with, which the repository does not hold."""


def test_nothing_refers_to_what_is_not_here() -> None:
    for path in [*TRACKED, *DOCUMENTS, EXAMPLE, ROOT / "Makefile"]:
        if path.parent.name == "migrations" or path == Path(__file__):
            continue  # a migration never changes: its hash is in every database that ran it
        assert not NOTES.search(text_of(path)), name_of(path)


# --- decisions, glossary --------------------------------------------------------------------------------------


def test_decisions_are_numbered_dated_and_listed() -> None:
    text = text_of(ROOT / "docs" / "decisions.md")
    rows = re.findall(r"^\| (\d+) \| (\d{4}-\d\d-\d\d) \| [^|]+ \| \[(.+)\]\(#(\S+)\) \|$", text, re.MULTILINE)
    entries = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert entries == [f"{number}. {title}" for number, _, title, _ in rows], "a decision has a number and a row on top"
    assert [int(number) for number, *_ in rows] == list(range(1, len(rows) + 1))
    assert all(date.fromisoformat(day) for _, day, *_ in rows)


def test_rules_of_the_law_have_one_row_each() -> None:
    rules = re.findall(
        r"^\| `([\w-]+)` \| .* \| (?:H|M|L|Open|H/M) \|", text_of(ROOT / "docs" / "law.md"), re.MULTILINE
    )
    assert len(rules) > 60
    assert len(rules) == len(set(rules))


def test_functions_and_tests_that_the_law_names_exist() -> None:
    """`name` in `file`: the file defines that name; so a rule's row cannot outlive what follows the rule."""
    named = re.findall(r"((?:`\w+`, )*`\w+`) in `([\w/.]+)`", text_of(ROOT / "docs" / "law.md"))
    assert len(named) > 40
    for names, file in named:
        source = text_of(ROOT / file)
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^\s*(?:(?:async )?def|class) {name}\b|^{name}\b.*=", source, re.MULTILINE), (name, file)


def test_every_rule_of_the_law_has_its_place_or_none_on_purpose() -> None:
    """A rule that the program follows has a test; a dash stands only where it binds people."""
    rows = re.findall(
        r"^\| `([\w-]+)` \|(?:[^|]*\|){2}([^|]*)\|([^|]*)\|$", text_of(ROOT / "docs" / "law.md"), re.MULTILINE
    )
    assert len(rows) > 50
    for rule, place, test in rows:
        if rule not in FOR_PEOPLE:
            assert "–" not in (place.strip(), test.strip()), rule


FOR_PEOPLE = frozenset({"106na-3", "106nf-10", "paper-codes-apart", "kod-2-scan"})
"""Rules about what others do: when a buyer has received an invoice, papers without codes, the day of a scan."""


def test_the_commit_hook_runs_what_lint_runs() -> None:
    hook = text_of(ROOT / ".pre-commit-config.yaml")
    assert re.findall(r"entry: (.+)", hook) == ["make --silent lint"]
    assert "repo: local" in hook, "a hook fetches nothing"


def test_names_of_the_glossary_are_in_the_program() -> None:
    sources = [path for path in TRACKED if path.relative_to(ROOT).parts[0] in {"agent", "printers", "schemas"}]
    words = set(re.findall(r"[A-Za-z_]\w+", "\n".join(text_of(path) for path in sources)))
    for row in re.findall(r"^\|.*\| ([^|]*) \|$", text_of(ROOT / "docs" / "glossary.md"), re.MULTILINE):
        for name in re.findall(r"`(\w[\w.]*)`", row):
            assert set(name.split(".")) <= words, name


# --- commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_document_is_written_for_people(document: Path) -> None:
    text = text_of(document)
    assert text.startswith("# ")
    assert text.count("```") % 2 == 0
    in_code = False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        assert in_code or line.startswith("|") or len(line) <= 130, line


def commands_named(text: str) -> Iterator[list[str]]:
    """Words after `ksef-agent` in code, up to the end of the command."""
    code = "\n".join(re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    code += "\n" + "\n".join(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)))
    for found in re.findall(r"(?:^\s*|\()ksef-agent ([a-z][^\n|;&)#]*)", code, re.MULTILINE):
        yield found.split()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_and_option_named_exists(document: Path) -> None:
    for words in commands_named(text_of(document)):
        command = command_line.cli.get_command(click.Context(command_line.cli), words[0])
        assert command is not None, words
        for word in words[1:]:
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
        known = {option for each in command.params for option in each.opts} | {"--help"}
        used = {word.rstrip(",.:") for word in words if word.startswith("--")}
        assert used <= known, words


def test_readme_names_every_command() -> None:
    table = text_of(README).partition("## Commands")[2].partition("## ")[0]
    named = set(re.findall(r"`([a-z-]+)`", table))
    assert set(command_line.COMMANDS) <= named


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    for document in DOCUMENTS:
        named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text_of(document), re.MULTILINE))
        assert named <= targets, document
    assert {"run", "test", "wheel", "deb", "completion"} <= targets


# --- settings -----------------------------------------------------------------------------------------------


def setting_names(example: Path = EXAMPLE) -> tuple[set[str], set[str]]:
    """Names of sections and of settings of an example, those in comments included."""
    values = tomllib.loads(re.sub(r"^# (?=[a-z_0-9]+ = )", "", text_of(example), flags=re.MULTILINE))
    sections: set[str] = set()
    names: set[str] = set()

    def walk(table: dict[str, object], prefix: str) -> None:
        for key, value in table.items():
            inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
            if isinstance(inner, dict):
                sections.add(prefix + key)
                walk(inner, f"{prefix}{key}.")
            else:
                names.add(prefix + key)

    walk(values, "")
    return sections, names


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_settings_named_exist(document: Path) -> None:
    sections, names = setting_names()
    if document.name == "hub.md":  # both sides have a section [hub]
        of_the_hub = setting_names(HUB_EXAMPLE)
        sections, names = sections | of_the_hub[0], names | of_the_hub[1]
    short = {name.rpartition(".")[2] for name in names}
    text = re.sub(r"<!-- (\w+): made by .*?<!-- end of \1 -->", "", text_of(document), flags=re.DOTALL)  # fields
    for name in re.findall(r"`([a-z]+\.[a-z_]+)`", text):
        section, _, last = name.partition(".")
        if section in sections and last not in {"md", "yml", "json", "toml", "py"}:
            assert name in names, name
    for section in re.findall(r"`\[{1,2}([a-z.]+)\]{1,2}`", text):
        assert section in sections, section
    for key in re.findall(r"`([a-z_]+) = [^`]+`", text):
        assert key in short, key


def test_the_technicians_settings_load(tmp_path: Path) -> None:
    (given,) = re.findall(r"^```toml\n(.*?)^```", text_of(TECHNICIAN), re.MULTILINE | re.DOTALL)
    seller = '[seller]\nnip = "5261040828"\nname = "Sklep"\naddress = { line1 = "ul. Prosta 1" }\n'
    (tmp_path / "config.toml").write_text(seller + given, "utf-8")
    settings = load(tmp_path / "config.toml", need_files=False)
    assert settings.offline.renew_before_days == 30
    assert settings.ksef.certificate_file == Path("/var/lib/ksef-agent/keys/auth.crt")


def test_the_technicians_sale_is_one() -> None:
    (given,) = re.findall(r"<<'SALE'\n(.*?)^SALE$", text_of(TECHNICIAN), re.MULTILINE | re.DOTALL)
    assert parse_sale(json.loads(given), today=date(2026, 11, 23)).lines[0].name == "Sprzedaż próbna"


def test_paths_of_the_technicians_page_are_those_of_the_package() -> None:
    text = text_of(TECHNICIAN)
    for path in ("/etc/ksef-agent/config.toml", "/var/backups/ksef-agent/before-upgrade-from-", "/opt/ksef-agent"):
        assert path in text
    assert "before-upgrade-from-$old.db" in text_of(ROOT / "packaging" / "debian" / "preinst")
    for unit in re.findall(r"ksef-agent-[a-z]+\.timer", text):
        assert (ROOT / "systemd" / unit).is_file()


def test_sentences_of_the_technicians_page_are_in_the_program() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "agent").rglob("*.py"))
    table = text_of(TECHNICIAN).partition("## When it does not start")[2]
    sentences = [
        part.strip()
        for cell in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
        for part in re.split(r"[`…,]", cell)
    ]
    for part in (part for part in sentences if len(part) > 8 and "config.toml" not in part):
        assert part in sources, part


# --- routes, events, codes ------------------------------------------------------------------------------------


def test_routes_named_in_the_readme_exist() -> None:
    known = {(route.method, route.path) for route in routes()}
    named = re.findall(r"`(GET|POST|DELETE) (/[^`? ]+)`", text_of(README))
    assert len(named) > 10
    assert set(named) <= known


def kinds_named() -> set[EventKind]:
    """Kinds of events that the services and commands name."""
    sources = "\n".join(
        text_of(file) for folder in ("services", "commands") for file in (ROOT / "agent" / folder).rglob("*.py")
    )
    return {EventKind[name] for name in re.findall(r"\bEventKind\.([A-Z_]+)", sources)}


def test_flows_name_functions_that_exist() -> None:
    known: set[str] = set()
    for folder in ("agent", "printers"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.parse(text_of(file)).body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    known.add(node.name)
                elif isinstance(node, ast.ClassDef):
                    known |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
    rows = re.findall(r"^\| (?:\d\w?|–|later) \|.*\| (`[^|]+) \|$", text_of(FLOWS), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 50
    assert not [name for name in named if name not in known]


def test_flows_name_every_event_and_no_other() -> None:
    text = text_of(FLOWS)
    assert kinds_named() == set(EventKind)
    for kind in set(EventKind) - {EventKind.UPO_MISMATCH}:
        assert f"`{kind}`" in text, kind
    in_brackets = {kind for group in re.findall(r"\[(`[^\]]+)\]", text) for kind in re.findall(r"`([a-z_.]+)`", group)}
    assert len(in_brackets) > 20
    assert in_brackets <= set(EventKind)


def test_problem_codes_of_health_are_listed_where_hq_looks() -> None:
    rules = text_of(ROOT / "docs" / "hq" / "alerts.yml")
    metrics = "".join(text_of(ROOT / "agent" / "web" / name) for name in ("metrics.py", "metrics_counted.py"))
    metrics += text_of(ROOT / "agent" / "services" / "monitoring" / "counters.py")
    for name in set(re.findall(r"\bksef_agent_([a-z_]+)", rules)):
        assert re.sub("_(bucket|sum|count|total)$", "", name) in metrics, name
