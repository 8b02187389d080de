"""One slow reader never holds up the others, and nobody misses the end."""

from gpt_trader.risk_gate.adapters.relay import MOST_QUEUED, Ending, Relay


async def test_every_watcher_sees_every_frame_in_order() -> None:
    relay = Relay()

    with relay.watching() as one, relay.watching() as other:
        relay.publish("a")
        relay.publish("b")

        assert [await one.next(), await one.next(), await other.next(), await other.next()] == ["a", "b", "a", "b"]


async def test_a_watcher_that_falls_behind_is_ended_and_the_others_are_not() -> None:
    relay = Relay()

    with relay.watching() as slow, relay.watching() as quick:
        for number in range(MOST_QUEUED + 1):
            relay.publish(str(number))
            assert await quick.next() == str(number)

        assert await slow.next() is Ending.TOO_SLOW


async def test_an_upstream_restart_ends_everybody_at_once() -> None:
    relay = Relay(is_open=True)

    with relay.watching() as watcher:
        relay.publish("old")
        relay.close(Ending.UPSTREAM_RESTARTED)
        relay.close(Ending.GOING_AWAY)

        assert await watcher.next() is Ending.UPSTREAM_RESTARTED
    assert (relay.is_open, relay.watchers) == (False, 0)
