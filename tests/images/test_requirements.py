"""What an image installs is what its member declares, at the versions and hashes of the one lock."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "deploy/docker/requirements"
MEMBERS = {"tools": "console"}
"""Images that are not named as their member."""
SERVICES = ("market-data", "strategy", "risk-gate", "executor", "learning", "lab", "exchange-sim", "tools")


def locked(path: Path) -> Mapping[Requirement, frozenset[str]]:
    """Read a lock: each requirement with its hashes."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).strip())
    return {
        Requirement(entry.split(" \\\n")[0].strip()): frozenset(re.findall(r"--hash=(\S+)", entry)) for entry in entries
    }


def installed_here(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Name what a machine as this one installs, with the version."""
    return {
        canonicalize_name(one.name): str(one.specifier)
        for one in requirements
        if one.marker is None or one.marker.evaluate()
    }


def needed(distribution: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Follow what a distribution declares, as an installer does."""
    if (distribution, extras) in seen:
        return
    seen.add((distribution, extras))
    yield distribution
    for line in requires(distribution) or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield from needed(canonicalize_name(one.name), frozenset(one.extras), seen)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_installs_what_its_member_declares_and_nothing_else(service: str) -> None:
    found = set(needed(f"gpt-trader-{MEMBERS.get(service, service)}", frozenset(), set()))

    third_party = {name for name in found if not name.startswith("gpt-trader-")}

    assert installed_here(locked(LOCKS / f"{service}.txt")).keys() == third_party, "run make lock"


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_installs_the_versions_and_hashes_of_the_lock(service: str) -> None:
    everything = {
        (str(one.name), str(one.specifier)): hashes for one, hashes in locked(ROOT / "requirements.lock").items()
    }

    for one, hashes in locked(LOCKS / f"{service}.txt").items():
        assert hashes
        assert everything[one.name, str(one.specifier)] == hashes, f"{one}: run make lock"


def test_each_running_member_has_an_image() -> None:
    running = {path.parents[3].name for path in ROOT.glob("services/*/src/gpt_trader/*/__main__.py")}

    built = {MEMBERS.get(service, service) for service in SERVICES}

    assert built == running
    assert {path.stem for path in LOCKS.glob("*.txt")} == {*SERVICES, "build"}
    assert f"ALL=({' '.join(SERVICES)})" in (ROOT / "deploy/docker/images.sh").read_text()


def test_the_build_tools_are_locked_as_well() -> None:
    backends = {
        tomllib.loads(path.read_text())["build-system"]["build-backend"] for path in ROOT.glob("*/*/pyproject.toml")
    }

    tools = locked(LOCKS / "build.txt")

    assert backends == {"uv_build"}
    assert {canonicalize_name(one.name) for one in tools} == {"uv-build", "setuptools"}
    assert all(tools.values())
