"""The short form of `make chaos`: one seed, some seconds, and venue, account, journals and streams agree."""

from pathlib import Path

import pytest
from course import chaos
from nursery import Nurseries

pytestmark = pytest.mark.timeout(280)  # what nobody reported is looked up after 90 s: rarely, and not a failure

KINDS = ("kill9", "cut", "drop_connection_after_accept", "freeze", "flush")


def test_venue_books_and_logs_agree_after_some_seconds_of_chaos(tmp_path: Path) -> None:
    nurseries = Nurseries()
    said: list[str] = []
    try:
        found = chaos(tmp_path / "run", nurseries, 5, 6, may_mount=False, gap=(0.8, 1.2), kinds=KINDS, say=said.append)
    finally:
        nurseries.close()

    assert found.differences == [], found.document
    assert sum(found.faults.values()) == len(found.schedule) >= len(KINDS)
    assert found.figures["fills_at_the_venue"] > 0
