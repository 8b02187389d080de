"""The rig of the crash matrix."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from conftest_stand import announce, pytest_runtest_makereport
from rig import Rig, close_rig, open_rig

__all__ = ["pytest_runtest_makereport", "rig"]


@pytest.fixture(scope="module")
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One system for all cells: what a death leaves behind is there at the next."""
    rig = open_rig(tmp_path_factory.mktemp("rig"))
    announce(request, rig.stand)
    yield rig
    close_rig(rig)
