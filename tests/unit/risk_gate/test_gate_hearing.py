"""Whose silence counts: a shard that lives says nothing about the products of one that died."""

from datetime import timedelta

import pytest
from gate_builders import NOW
from pydantic import ValidationError

from gpt_trader.contracts.sharding import shard_of
from gpt_trader.contracts.telemetry import Heartbeat
from gpt_trader.risk_gate.domain.hearing import begun

SECOND = timedelta(seconds=1)
FIRST, SECOND_ONE = "ETH-USD", "BTC-USD"
"""Products of the shards 0 and 1 of two."""


def a_beat(shard: int = 0, shards: int = 1) -> Heartbeat:
    return Heartbeat(
        service="strategy", version="1", is_ready=True, detail="", configuration="0" * 64, drift="", published_at=NOW,
        shard=shard, shards=shards,
    )  # fmt: skip


def test_one_process_answers_for_every_product() -> None:
    hearing = begun(NOW).heard(a_beat(), NOW + 3 * SECOND)

    later = NOW + 5 * SECOND
    assert hearing.longest(later) == hearing.of(FIRST, later) == hearing.of(SECOND_ONE, later) == 2 * SECOND
    assert hearing.name_of(0) == "strategy"


def test_a_dead_shard_is_silent_for_its_products_and_the_living_one_is_not() -> None:
    assert [shard_of(product, 2) for product in (FIRST, SECOND_ONE)] == [0, 1]
    hearing = begun(NOW).heard(a_beat(0, 2), NOW).heard(a_beat(1, 2), NOW).heard(a_beat(0, 2), NOW + 9 * SECOND)

    later = NOW + 10 * SECOND
    assert (hearing.of(FIRST, later), hearing.of(SECOND_ONE, later)) == (SECOND, 10 * SECOND)
    assert hearing.longest(later) == 10 * SECOND
    assert list(hearing.silent(5 * SECOND, later)) == [1]
    assert hearing.name_of(1) == "strategy's shard 1 of 2"


def test_a_shard_that_was_never_heard_counts_from_when_the_gate_knew_of_it() -> None:
    hearing = begun(NOW).heard(a_beat(0, 2), NOW + SECOND)

    assert hearing.of(SECOND_ONE, NOW + 10 * SECOND) == 9 * SECOND


def test_shards_that_an_upgrade_took_away_are_missed_by_nobody() -> None:
    two = begun(NOW).heard(a_beat(0, 2), NOW).heard(a_beat(1, 2), NOW)

    one = two.heard(a_beat(0, 1), NOW + 9 * SECOND)

    assert one.longest(NOW + 10 * SECOND) == one.of(SECOND_ONE, NOW + 10 * SECOND) == SECOND


def test_nobody_is_silent_while_the_gate_could_not_hear() -> None:
    hearing = begun(NOW).heard(a_beat(0, 2), NOW).excused(NOW + 30 * SECOND)

    assert hearing.longest(NOW + 31 * SECOND) == SECOND


def test_a_shard_beyond_its_own_count_leaves_no_product_without_an_answer() -> None:
    hearing = begun(NOW).heard(a_beat(3, 2), NOW + SECOND)

    assert len(hearing.heard_at) == 4
    assert hearing.longest(NOW + 2 * SECOND) == 2 * SECOND


@pytest.mark.parametrize(("shard", "shards"), [(-1, 2), (64, 64), (0, 0), (0, 65)])
def test_a_heartbeat_of_more_shards_than_may_be_is_malformed(shard: int, shards: int) -> None:
    with pytest.raises(ValidationError):
        a_beat(shard, shards)
