"""The protections of the order's way, each of which can be taken out of a running service to see that it is missed."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any


def remove(service: str, names: Sequence[str]) -> None:
    """Take these protections out of this service; one that it has not is left to the others."""
    for name in names:
        wanted, taken_out = PROTECTIONS[name]
        if wanted == service:
            taken_out()


def _permit_once() -> None:
    """Issue another permit for a body that has one."""
    from gpt_trader.risk_gate.domain.permits import permitted  # noqa: PLC0415 - of this service alone
    from gpt_trader.risk_gate.service.permit_desk import PermitDesk  # noqa: PLC0415

    def decided(self: PermitDesk, body_sha256: str) -> Any:
        ledger, kept = self.ledger, self._approval(body_sha256)
        tick = self.market.ticks.get(kept.product) if kept is not None else None
        forgetful = replace(ledger.state, permitted=type(ledger.state.permitted)())
        return permitted(body_sha256, forgetful, ledger.policy, tick, ledger.clock.now())

    PermitDesk._decided = decided  # type: ignore[method-assign]


def _no_resend() -> None:
    """Send again, after a restart, what was about to be sent."""
    from gpt_trader.contracts.orders import OrderStatus  # noqa: PLC0415
    from gpt_trader.executor.service.executor import ExecutorService  # noqa: PLC0415
    from gpt_trader.executor.service.placing import Placer  # noqa: PLC0415

    recover = ExecutorService.recover

    async def resending(self: ExecutorService, tail: Any) -> None:
        await recover(self, tail)
        for order in self.books.ledger.living():
            if order.status is OrderStatus.SUBMITTING:
                self.placer.begin(order.client_order_id)

    def nothing(_self: Placer) -> None:
        """Leave what was interrupted as if it were not."""

    ExecutorService.recover = resending  # type: ignore[method-assign]
    Placer.give_up_interrupted = nothing  # type: ignore[method-assign]


def _fence() -> None:
    """Believe the first listing that lacks an order."""
    from gpt_trader.executor.domain.venue import Fence  # noqa: PLC0415

    Fence.passed = lambda _self, _order, _started: True  # type: ignore[method-assign]


def _dedupe() -> None:
    """Give each attempt at a report an id of its own."""
    from gpt_trader.runtime.bus import Bus  # noqa: PLC0415

    store, count = Bus.store, itertools.count()

    async def unnamed(self: Bus, subject: str, message: Any, *, message_id: str) -> int:
        return await store(self, subject, message, message_id=f"{message_id}-{os.getpid()}-{next(count)}")

    Bus.store = unnamed  # type: ignore[method-assign]


def _journal_first() -> None:
    """Write down that an order is being sent only when the answer is there."""
    from gpt_trader.executor.domain.records import Submitting  # noqa: PLC0415
    from gpt_trader.executor.service.books import Books  # noqa: PLC0415

    record = Books.record
    held: dict[str, Submitting] = {}

    def late(self: Books, *changes: Any) -> None:
        kept: list[Any] = []
        for change in changes:
            if isinstance(change, Submitting):
                held[change.client_order_id] = change
                continue
            first = held.pop(change.client_order_id, None) if _is_outcome(change) else None
            kept += [change] if first is None else [first, change]
        record(self, *kept)

    Books.record = late  # type: ignore[method-assign]


def _is_outcome(change: Any) -> bool:
    return change.kind in {"accepted", "rejected", "abandoned", "unclear"}


def _said_after() -> None:
    """Take a report for said before the bus has it."""
    from gpt_trader.executor.domain.records import Reported  # noqa: PLC0415
    from gpt_trader.executor.service.reporting import Reporter  # noqa: PLC0415

    say = Reporter._say

    async def hasty(self: Reporter, message_id: str, report: Any) -> None:
        self.books.record(Reported(message_ids=(message_id,)))
        await say(self, message_id, report)

    Reporter._say = hasty  # type: ignore[method-assign]


def _void_unstored() -> None:
    """Keep approvals that never reached the bus."""
    from gpt_trader.risk_gate.domain.records import ApprovalVoided  # noqa: PLC0415
    from gpt_trader.risk_gate.service.ledger import Ledger  # noqa: PLC0415

    commit = Ledger.commit

    def keeping(self: Ledger, *entries: Any) -> None:
        commit(self, *(one for one in entries if not isinstance(one, ApprovalVoided)))

    Ledger.commit = keeping  # type: ignore[method-assign]


def _listings() -> None:
    """Take what the user channel says for all there is."""
    from gpt_trader.executor.adapters.coinbase_exchange import CoinbaseExchange  # noqa: PLC0415

    async def nothing(_self: CoinbaseExchange, _start: Any) -> list[Any]:
        return []

    CoinbaseExchange.orders_since = nothing  # type: ignore[method-assign]
    CoinbaseExchange.fills_since = nothing  # type: ignore[method-assign]


PROTECTIONS: dict[str, tuple[str, Callable[[], None]]] = {
    "permit_once": ("risk_gate", _permit_once),
    "no_resend": ("executor", _no_resend),
    "fence": ("executor", _fence),
    "dedupe": ("executor", _dedupe),
    "journal_first": ("executor", _journal_first),
    "said_after": ("executor", _said_after),
    "void_unstored": ("risk_gate", _void_unstored),
    "listings": ("executor", _listings),
}
"""By name: the service that has it, and what takes it out."""
