from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.market import FeedState
from gpt_trader.market_data.domain.backoff import Backoff
from gpt_trader.market_data.domain.feed import (
    Booked,
    Connected,
    FeedEvent,
    Filled,
    Gapped,
    Health,
    Limits,
    Lost,
    Resubscribed,
    Watched,
    evolve,
)
from gpt_trader.market_data.domain.sequence import InOrder, Missed, Repeated, Sequencing
from tests.unit.market_data.market_builders import BTC, NOW, at

LIMITS = Limits(message_age=timedelta(seconds=15), heartbeat_age=timedelta(seconds=30), resync=timedelta(seconds=30))
UNKNOWN = Health(product=BTC, state=FeedState.DISCONNECTED, reason="not connected yet", since=NOW)
CONNECTED = Connected(wall=NOW, is_again=False)
events = st.sampled_from(
    [CONNECTED, Lost(reason="gone"), Gapped(reason="hole"), Resubscribed(wall=NOW), Booked(), Filled()]
)


def watched(message_age: float = 0, heartbeat_age: float = 0, wall: float = 0) -> Watched:
    return Watched(
        wall=at(wall),
        message_age=timedelta(seconds=message_age),
        heartbeat_age=timedelta(seconds=heartbeat_age),
        limits=LIMITS,
    )


def after(*happened: FeedEvent, start: Health = UNKNOWN) -> Health:
    health = start
    for event in happened:
        health = evolve(health, event, NOW)
    return health


CLEAN = after(CONNECTED, Booked(), Filled())


def test_a_feed_is_clean_only_with_both_a_book_and_history() -> None:
    assert after(CONNECTED).state is FeedState.RESYNCING
    assert after(CONNECTED, Booked()).state is FeedState.RESYNCING
    assert after(CONNECTED, Filled()).state is FeedState.RESYNCING
    assert after(CONNECTED, Filled(), Booked()).state is FeedState.CLEAN


def test_a_gap_must_be_resubscribed_booked_and_filled_before_it_is_clean_again() -> None:
    gap = after(Gapped(reason="2 messages missing"), start=CLEAN)

    assert (gap.state, gap.reason, gap.gaps) == (FeedState.GAP, "2 messages missing", 1)
    assert after(Booked(), Filled(), start=gap).state is FeedState.GAP
    assert after(Resubscribed(wall=NOW), start=gap).state is FeedState.RESYNCING
    assert after(Resubscribed(wall=NOW), Booked(), Filled(), start=gap).state is FeedState.CLEAN


def test_what_arrived_before_a_gap_does_not_count_for_the_resync() -> None:
    health = after(CONNECTED, Booked(), Gapped(reason="hole"), Resubscribed(wall=NOW), Filled())

    assert health.state is FeedState.RESYNCING


def test_a_lost_connection_needs_everything_anew_and_counts_the_reconnect() -> None:
    lost = after(Lost(reason="closed"), start=CLEAN)
    again = after(Connected(wall=NOW, is_again=True), start=lost)

    assert (lost.state, lost.reason) == (FeedState.DISCONNECTED, "closed")
    assert (again.state, again.reconnects) == (FeedState.RESYNCING, 1)
    assert after(Booked(), Filled(), start=again).state is FeedState.CLEAN


@pytest.mark.parametrize(("message_age", "heartbeat_age"), [(15.001, 0), (0, 30.001)])
def test_a_clean_feed_is_stale_after_15_s_without_message_or_30_s_without_heartbeat(
    message_age: float, heartbeat_age: float
) -> None:
    stale = after(watched(message_age, heartbeat_age), start=CLEAN)

    assert stale.state is FeedState.STALE
    assert after(watched(), start=stale).state is FeedState.CLEAN


def test_ages_at_the_limit_are_not_stale() -> None:
    assert after(watched(15, 30), start=CLEAN).state is FeedState.CLEAN


def test_a_stale_feed_that_had_a_gap_does_not_become_clean_by_being_heard() -> None:
    health = after(watched(16), Gapped(reason="hole"), watched(), start=CLEAN)

    assert health.state is FeedState.GAP


def test_a_resync_that_takes_longer_than_30_s_starts_over() -> None:
    resyncing = after(CONNECTED, Booked())

    assert after(watched(wall=30), start=resyncing).state is FeedState.RESYNCING
    overdue = after(watched(wall=30.1), start=resyncing)
    assert (overdue.state, overdue.gaps, overdue.is_booked) == (FeedState.GAP, 0, False)


def test_since_moves_only_with_the_state() -> None:
    gap = evolve(CLEAN, Gapped(reason="one"), at(1))
    second = evolve(gap, Gapped(reason="two"), at(2))

    assert (second.since, second.gaps, second.reason) == (at(1), 2, "two")


@given(st.lists(events, max_size=30))
def test_no_history_of_events_makes_a_feed_clean_without_book_and_history_since_it_was_last_dirty(
    history: list[FeedEvent],
) -> None:
    health = after(*history)

    if health.state is FeedState.CLEAN:
        dirty = [n for n, event in enumerate(history) if isinstance(event, Connected | Lost | Gapped)]
        since = history[dirty[-1] :]
        assert Booked() in since
        assert Filled() in since


def test_sequence_numbers_show_holes_and_repeats() -> None:
    numbering = Sequencing()

    assert [numbering.follow(number) for number in (0, 1, 4, 2, 4, 5)] == [
        InOrder(),
        InOrder(),
        Missed(count=2),
        Repeated(),
        Repeated(),
        InOrder(),
    ]


def test_backoff_doubles_from_2_s_to_60_s_and_varies_by_a_quarter() -> None:
    backoff = Backoff(first=timedelta(seconds=2), cap=timedelta(seconds=60), jitter=0.25)

    assert [backoff.wait(n, 0.5).total_seconds() for n in (0, 1, 2, 3, 4, 5, 99)] == [2, 4, 8, 16, 32, 60, 60]
    assert backoff.wait(0, 0).total_seconds() == 1.5
    assert backoff.wait(99, 1).total_seconds() == 75
