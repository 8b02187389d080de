"""One demo for the tests that only look."""

from collections.abc import Iterator

import pytest
from harness import RunningSystem, system


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """Start the demo as `make run` does, shared by a module's tests."""
    with system(tmp_path_factory.mktemp("demo")) as running:
        yield running
