"""The stand: one system per module, calm at the beginning of each test."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from aftermath import aftermath
from nursery import Nurseries
from stand import TERMS, Stand, Terms, close_stand, open_stand

STANDS = pytest.StashKey[list[Stand]]()
"""The stands of a module: they are asked what happened when one of its tests fails."""


def announce(request: pytest.FixtureRequest, stand: Stand) -> None:
    """Have a stand heard when a test of this module fails."""
    request.node.stash.setdefault(STANDS, []).append(stand)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failure what the stands of its module say."""
    report = yield
    if report.failed:
        for stand in [one for node in item.listchain() for one in node.stash.get(STANDS, [])]:
            report.sections.append((f"stand in {stand.system.root}", aftermath(stand)))
    return report


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    """Say what the module's system is made of; a module may define its own."""
    return TERMS


@pytest.fixture(scope="session")
def nurseries() -> Iterator[Nurseries]:
    """Import each service once for all stands."""
    nurseries = Nurseries()
    yield nurseries
    nurseries.close()


@pytest.fixture(scope="module")
def running_stand(
    request: pytest.FixtureRequest,
    stand_terms: Terms,
    nurseries: Nurseries,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stand]:
    """Start the module's system and stop it at the end."""
    stand = open_stand(tmp_path_factory.mktemp("stand"), stand_terms, nurseries)
    announce(request, stand)
    yield stand
    close_stand(stand)


@pytest.fixture
def stand(running_stand: Stand, request: pytest.FixtureRequest) -> Stand:
    """Hand over the module's system, calm, with the gate under the test's policy."""
    changes: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("policy"))):  # the module's first, the test's own over it
        for section, change in mark.kwargs.items():
            changes[section] = changes.get(section, {}) | change if isinstance(change, dict) else change
    running_stand.calm(changes)
    return running_stand
