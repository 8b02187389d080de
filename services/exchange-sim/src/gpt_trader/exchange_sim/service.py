"""The shell: keep the venue at market time and pass on what it does."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from gpt_trader.exchange_sim.domain.accounts import CashMoved
from gpt_trader.exchange_sim.domain.execution import OrderChanged, Traded
from gpt_trader.exchange_sim.domain.venue import Venue
from gpt_trader.exchange_sim.ports import Feed, JournalEntry, Stopwatch
from gpt_trader.runtime.clock import Clock

PULSE_SECONDS = 0.02


class TradingFloor:
    """One venue on one clock; every change goes to the journal and the feeds before anything else happens."""

    def __init__(self, open_venue: Callable[[datetime], Venue], clock: Clock, stopwatch: Stopwatch) -> None:
        self._open_venue = open_venue
        self._venue = open_venue(clock.now())
        self._clock = clock
        self._stopwatch = stopwatch
        self._feeds: list[Feed] = []
        self._journal: list[JournalEntry] = []
        self._latest = clock.now()

    @property
    def venue(self) -> Venue:
        """The exchange."""
        return self._venue

    @property
    def journal(self) -> Sequence[JournalEntry]:
        """Every event that touched a customer's order, in order."""
        return self._journal

    def attach(self, feed: Feed) -> None:
        """Let a feed see everything from now on."""
        self._feeds.append(feed)

    def now(self) -> datetime:
        """Return market time, never going back."""
        self._latest = max(self._latest, self._clock.now())
        return self._latest

    def restart(self) -> None:
        """Open the venue anew: no order, no fill and the first balances, as if the process had been started."""
        self._venue = self._open_venue(self.now())
        self._journal.clear()
        for feed in self._feeds:
            feed.restart()

    def publish(self) -> None:
        """Journal and pass on what the venue did since the last call."""
        events = tuple(self._venue.outbox)
        if not events:
            return
        self._venue.outbox.clear()
        accepted_at_ns = self._stopwatch.unix_ns()
        for event in events:
            if isinstance(event, OrderChanged | CashMoved) or (isinstance(event, Traded) and event.fills):
                self._journal.append(JournalEntry(accepted_at_ns=accepted_at_ns, event=event))
        now = self.now()
        for feed in self._feeds:
            feed.on_events(events, now)

    def pulse(self) -> None:
        """Bring the market to the present and flush the feeds."""
        now = self.now()
        self._venue.advance(now)
        self.publish()
        for feed in self._feeds:
            feed.on_pulse(now)

    async def run(self) -> None:
        """Pulse until cancelled."""
        while True:
            self.pulse()
            await asyncio.sleep(PULSE_SECONDS)
