"""The shape of the sources: what a reader may rely on without looking."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")])
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
BANNED_WORDS = {
    "Manager", "Helper", "Handler", "Coordinator", "Orchestrator", "Engine", "Processor", "Util", "Utils", "Common",
    "Base", "Mixin", "Impl", "Data", "Info", "Object",
}  # fmt: skip
BANNED_BEGINNINGS = ("do_", "process_", "handle_", "new_", "legacy_", "simple_", "enhanced_")
SUPPRESSION = re.compile(r"# (?:noqa|type: ignore|fmt: off)\S*(?:\[[^]]*\]|: [A-Z0-9, ]+)?(?P<reason>.*)")


def module_name(path: Path) -> str:
    parts = path.relative_to(next(parent for parent in path.parents if parent.name == "src")).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {module_name(path): ast.parse(path.read_text()) for path in SOURCES}
PATHS = {module_name(path): path for path in SOURCES}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("module", TREES)
def test_no_source_guesses_at_attributes(module: str) -> None:
    calls = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]

    assert not [call.lineno for call in calls if call.func.id in {"getattr", "hasattr"}]  # type: ignore[attr-defined]


NO_MONEY = {"gpt_trader.market_data.domain.backoff": "delays in seconds"}


@pytest.mark.parametrize(
    "module", [name for name in TREES if (".domain" in name or ".contracts" in name) and name not in NO_MONEY]
)
def test_money_code_has_no_float(module: str) -> None:
    refusals = [
        argument
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        for argument in node.args
    ]
    names = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.Name) and node.id == "float"]
    literals = [
        node for node in ast.walk(TREES[module]) if isinstance(node, ast.Constant) and type(node.value) is float
    ]

    assert not [node.lineno for node in [*names, *literals] if node not in refusals]


@pytest.mark.parametrize("module", TREES)
def test_a_module_is_one_idea_that_fits_a_few_screens(module: str) -> None:
    assert len(PATHS[module].read_text().splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("module", TREES)
def test_a_function_fits_a_screen(module: str) -> None:
    too_long = {
        node.name: node.end_lineno - node.lineno
        for node in functions(TREES[module])
        if node.end_lineno is not None and node.end_lineno - node.lineno > LONGEST_FUNCTION
    }

    assert not too_long


@pytest.mark.parametrize("module", TREES)
def test_names_say_what_a_thing_does(module: str) -> None:
    classes = [node.name for node in ast.walk(TREES[module]) if isinstance(node, ast.ClassDef)]
    words = {name: set(re.findall("[A-Z][a-z0-9]*", name.replace("MarketData", "Market"))) for name in classes}
    names = [node.name.strip("_") for node in functions(TREES[module])]

    assert not [name for name in classes if words[name] & BANNED_WORDS]
    assert not [name for name in names if name.startswith(BANNED_BEGINNINGS) or re.search(r"_v\d+$", name)]


@pytest.mark.parametrize("module", TREES)
def test_no_error_is_caught_blindly_or_swallowed(module: str) -> None:
    """A time limit that has passed may be nothing to do; any other error is."""
    catches = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.ExceptHandler)]
    blind = [node for node in catches if node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}]

    assert not [node.lineno for node in blind if not isinstance(node.body[-1], ast.Raise)]
    swallowed = [node for node in catches if isinstance(node.body[-1], ast.Pass)]
    assert not [node.lineno for node in swallowed if node.type is None or ast.unparse(node.type) != "TimeoutError"]


@pytest.mark.parametrize("module", TREES)
def test_what_silences_a_checker_says_why(module: str) -> None:
    found = [SUPPRESSION.search(line) for line in PATHS[module].read_text().splitlines()]

    assert not [match.string for match in found if match is not None and not match["reason"].strip(" -#")]


def test_the_namespace_package_has_no_init() -> None:
    assert not list(ROOT.glob("*/*/src/gpt_trader/__init__.py"))


def test_every_module_is_reached_from_an_entry_point() -> None:
    waiting = [name for name in TREES if name.endswith(".__main__")]
    for pyproject in ROOT.glob("services/*/pyproject.toml"):
        points = tomllib.loads(pyproject.read_text())["project"].get("entry-points", {})
        waiting += [target.split(":")[0] for group in points.values() for target in group.values()]
    waiting += [f"gpt_trader.runtime.infrastructure.{one}" for one in ("provision", "await_bus")]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in TREES and name not in reached:
            reached.add(name)
            waiting += imports(name)

    assert not sorted(name for name in TREES if name not in reached)


def imports(module: str) -> list[str]:
    found = [module.rsplit(".", 1)[0]]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found
