"""The quickest of the alerts' scenarios; `make observability-alerts` runs them all."""

from fire_alerts import (
    installed,
    test_a_dead_gate_fires_gate_down,
    test_a_kill_fires_kill_active_until_the_reset,
    test_a_silent_venue_fires_feed_stale_and_connection_lost,
    test_a_venue_that_answers_429_fires_rate_limit_high,
    watched,
    watcher,
)

__all__ = [
    "installed",
    "test_a_dead_gate_fires_gate_down",
    "test_a_kill_fires_kill_active_until_the_reset",
    "test_a_silent_venue_fires_feed_stale_and_connection_lost",
    "test_a_venue_that_answers_429_fires_rate_limit_high",
    "watched",
    "watcher",
]
