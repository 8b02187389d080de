"""The documents say what is so: links, commands, settings, limits, causes and metrics exist, and none is left out."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gpt_trader.console.__main__ import app
from gpt_trader.executor.settings import ExecutorSettings
from gpt_trader.learning.settings import Settings as LearningSettings
from gpt_trader.market_data.settings import MarketDataSettings
from gpt_trader.risk_gate.domain.policy_reference import limits, table
from gpt_trader.risk_gate.domain.trading_state import CauseCode, clearing_of
from gpt_trader.risk_gate.settings import RiskGateSettings, shipped_policies
from gpt_trader.runtime.settings import ServiceSettings
from gpt_trader.strategy.settings import StrategySettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SETTINGS: Mapping[str, type[ServiceSettings]] = {
    "runtime": ServiceSettings,
    "risk-gate": RiskGateSettings,
    "executor": ExecutorSettings,
    "strategy": StrategySettings,
    "market-data": MarketDataSettings,
    "learning": LearningSettings,
}

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?<![\w-])gpt-trader (?=[a-z])([^`#(]*)")
_METRIC = re.compile(r"^(risk_gate|executor|market_data|strategy|learning)_[a-z_]+$")
_MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|mnt|Users|opt|srv)(?:/|\b)")
_REGISTRIES = re.compile(
    r"pypi\.|pythonhosted|ghcr\.io|docker\.io|quay\.io|gcr\.io|registry\.[a-z0-9.-]+\.(?:com|io|org)|artifactory|proxy\.golang"
)
_DIARY = re.compile(r"COMPLETE|SUMMARY|\d{4}-\d{2}|\d{8}", re.IGNORECASE)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(text: str) -> Iterator[str]:
    """Yield each line of code: fenced blocks, then what is quoted in the prose."""
    for block in _FENCE.findall(text):
        yield from block.splitlines()
    yield from _QUOTED.findall(_FENCE.sub("", text))


def anchors(path: Path) -> set[str]:
    titles = (title for _, title in _HEADING.findall(_FENCE.sub("", path.read_text())))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    headings = list(_HEADING.finditer(text))
    start = next(heading for heading in headings if heading[2] == title)
    ends = [one.start() for one in headings if one.start() > start.start() and len(one[1]) <= len(start[1])]
    return text[start.end() : min(ends, default=len(text))]


def first_cells(text: str) -> list[str]:
    """Return the quoted words of each table row's first cell."""
    rows = (line for line in text.splitlines() if line.startswith("| `"))
    return [word for row in rows for word in _QUOTED.findall(row.split("|")[1])]


def quoted(text: str) -> set[str]:
    """Return every quoted word of a source, with its quotes."""
    return set(re.findall(r'"[^"\n]*"', text))


def problem_with(line: str) -> str | None:
    """Say what is wrong with the words after `gpt-trader`; None if the command exists with these options."""
    command = get_command(app)
    for word in shlex.split(line):
        if word.startswith("--"):
            known = {option for parameter in command.params for option in parameter.opts}
            if word.partition("=")[0] not in {*known, "--help"}:
                return f"{command.name} has no {word}"
        elif isinstance(command, TyperGroup):
            if word not in command.commands:
                return f"{word} is no command"
            command = command.commands[word]
    is_group = isinstance(command, TyperGroup) and not command.invoke_without_command
    return "a command is missing" if is_group else None


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    dead = []
    for target in _LINK.findall(_FENCE.sub("", document.read_text())):
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        is_dead = not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path))
        if "://" not in target and is_dead:
            dead.append(target)

    assert not dead


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_command_and_option_that_is_mentioned_exists(document: Path) -> None:
    lines = [found.strip() for code in code_of(document.read_text()) for found in _COMMAND.findall(code)]

    assert not [(line, problem) for line in lines if (problem := problem_with(line))]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_of_a_service_are_documented_exactly(name: str) -> None:
    model = SETTINGS[name]
    shared = set[str]() if name == "runtime" else set(ServiceSettings.model_fields)
    documented = first_cells(section((DOCS / "configuration.md").read_text(), name))

    assert sorted(documented) == sorted(set(model.model_fields) - shared)


def test_the_limits_of_the_policy_are_documented_exactly() -> None:
    written = section((DOCS / "configuration.md").read_text(), "policy.yaml").splitlines()

    assert [line for line in written if line.startswith("|")] == table(limits(shipped_policies())).splitlines()


def test_every_cause_is_documented_with_who_may_end_it() -> None:
    rows = [line.split("|") for line in section((DOCS / "operations.md").read_text(), "Causes").splitlines()]
    ends = {cells[1].strip(" `"): cells[4].strip() for cells in rows if len(cells) == 7 and "`" in cells[1]}

    assert sorted(ends) == sorted(CauseCode)
    words = {
        "gate": {"gate", "time", "gate, leaving `kill`"},
        "operator": {"resume", "time, resume"},
        "reset": {"reset"},
    }
    assert not [code for code, end in ends.items() if end not in words[clearing_of(code)]]


def test_every_metric_of_a_service_page_is_made_by_that_service() -> None:
    missing = []
    for page in sorted((DOCS / "services").glob("*.md")):
        text = "".join(source.read_text() for source in (ROOT / "services" / page.stem / "src").rglob("*.py"))
        prefix = page.stem.replace("-", "_") + "_"
        named = [name for name in code_of(page.read_text()) if _METRIC.match(name)]
        missing += [name for name in named if not {f'"{name}"', f'"{name.removeprefix(prefix)}"'} & quoted(text)]

    assert not missing


def test_every_service_has_its_page() -> None:
    services = {folder.name for folder in (ROOT / "services").iterdir() if (folder / "pyproject.toml").is_file()}

    assert {page.stem for page in (DOCS / "services").glob("*.md")} == services


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_no_document_is_tied_to_a_machine_or_a_registry(document: Path) -> None:
    lines = document.read_text().splitlines()

    assert not [line for line in lines if _MACHINE_PATH.search(line) or _REGISTRIES.search(line)]


def test_no_document_is_a_diary() -> None:
    assert not [shown(document) for document in DOCUMENTS if _DIARY.search(document.stem)]


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
