"""Start is recovery, stop is a drain: what lies between is in the parts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gpt_trader.contracts.subjects import INTENTS_EPOCH
from gpt_trader.executor.domain.records import CancelWanted
from gpt_trader.executor.ports import ExchangeUnavailable, Streams
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.following import Follower
from gpt_trader.executor.service.intake import Intake
from gpt_trader.executor.service.placing import Placer
from gpt_trader.executor.service.recalling import Recaller
from gpt_trader.executor.service.reconciling import Reconciler
from gpt_trader.executor.service.reporting import Reporter
from gpt_trader.executor.service.terms import Terms
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import BusUnavailable
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.health import Health

log = logs.get("executor")

_RETRY_SECONDS = 0.5
_POLL_SECONDS = 0.02


@dataclass(slots=True, kw_only=True)
class ExecutorService:
    """The executor's parts, wired."""

    books: Books
    intake: Intake
    recaller: Recaller
    placer: Placer
    follower: Follower
    reconciler: Reconciler
    reporter: Reporter
    clock: Clock
    terms: Terms
    health: Health

    async def recover(self, streams: Streams) -> None:
        """Learn the epoch, doubt what was interrupted, agree with the venue; nothing is sent before that."""
        await self._learn_epoch(streams)
        self.placer.give_up_interrupted()
        await self._recall(streams)
        while True:
            try:
                await self.reconciler.reconcile()
            except ExchangeUnavailable as error:
                self.health.ready(False, f"not reconciled: {error}")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                break
        self.placer.doubt.set()
        for order in self.books.ledger.living():
            if order.status is None:
                self.placer.resume(order.client_order_id)

    async def serve_readiness(self) -> None:
        """Show whether we can do our duty, and apart from it whether an entry may be sent, for ever."""
        while True:
            reason = self.placer.incapacity()
            self.health.ready(reason is None, reason or "ready")
            self.health.note("entries", self.placer.standing_objection() or "may be sent")
            self.health.note("live_orders", len(self.books.ledger.live))
            self.health.note("unsaid_reports", len(self.books.ledger.unsaid))
            await asyncio.sleep(_RETRY_SECONDS)

    async def drain(self) -> None:
        """Send nothing more, cancel open entries, confirm, report; bounded, for the journal knows the rest."""
        self.placer.is_stopping = True
        self.health.ready(False, "stopping")
        try:
            async with asyncio.timeout(self.terms.drain_within.total_seconds()):
                await _until(lambda: self.placer.is_idle)
                if self.terms.cancels_entries_on_exit:
                    await self._cancel_entries()
                await _until(lambda: self.reporter.is_done)
        except TimeoutError:
            log.warning("drain_incomplete", live=len(self.books.ledger.live), unsaid=len(self.books.ledger.unsaid))
        else:
            log.info("drained", live=len(self.books.ledger.live))

    async def _cancel_entries(self) -> None:
        """Cancel what could open a position; exits and protective stops stay."""
        entries = [
            order.client_order_id
            for order in self.books.ledger.living()
            if order.is_working and order.intent.purpose.is_entry
        ]
        for order_id in entries:
            self.books.record(CancelWanted(client_order_id=order_id, at=self.clock.now()))
            self.follower.cancel(order_id)
        await _until(lambda: all(self.books.order(order_id).is_terminal for order_id in entries))

    async def _recall(self, streams: Streams) -> None:
        """Make a lost journal good before anything is reported."""
        while True:
            try:
                if await self.recaller.recall(streams):
                    return
                reason = "waits for the end of an attempt that this journal does not know"
            except BusUnavailable as error:
                reason = f"what was reported is unreadable: {error}"
            self.health.ready(False, reason)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _learn_epoch(self, streams: Streams) -> None:
        """Read the newest claim first: an older approval must not be sent, even if it is delivered before it."""
        while True:
            try:
                claim = await streams.last("INTENTS", INTENTS_EPOCH)
            except BusUnavailable as error:
                self.health.ready(False, f"intents unreadable: {error}")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                break
        if claim is not None:
            await self.intake.on_intent(claim)


async def _until(is_reached: Callable[[], bool]) -> None:
    while True:
        if is_reached():
            return
        await asyncio.sleep(_POLL_SECONDS)
