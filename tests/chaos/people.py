"""Who trades while everything breaks, and who puts it right: a strategy's hand, and an operator by the book."""

import contextlib
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import orjson
from world import PRODUCTS, World

from gpt_trader.contracts.account import Cause
from gpt_trader.contracts.signals import Action
from gpt_trader.runtime.bus import BusError

RESUMABLE = frozenset(
    {
        "balance_mismatch", "order_drift", "unexplained_fill", "infrastructure_denials", "venue_errors", "rate_budget",
        "fill_burst", "filled_value", "strategy_throttled", "repeated_order", "order_rejections", "slippage",
        "preview_failures", "operator_pause", "operator_reduce_only", "stale_mark", "volatility", "fast_move",
        "wide_spread", "thin_book",
    }
)  # fmt: skip
"""Causes that docs/operations.md has an operator end with `resume`."""
RESETTABLE = frozenset({"kill", "balance_drift", "unapproved_order", "drawdown", "daily_loss_halt"})
"""Causes that it has an operator end with `reset`."""


@dataclass(slots=True)
class Strategy:
    """Asks for entries and exits all the time, whatever is going on."""

    world: World
    random: Random
    pace: float
    counts: Counter[str] = field(default_factory=Counter)

    def trade(self) -> None:
        """Ask until the chaos is over."""
        while not self.world.is_over.wait(self.random.uniform(0.5, 1.5) * self.pace):
            self.ask()

    def ask(self) -> None:
        """Ask once: out of what is held more often than further in."""
        stand = self.world.stand
        product = self.random.choice(list(PRODUCTS))
        is_held = bool(stand.seen.accounts) and stand.position(product) != 0
        action = Action.EXIT if is_held and self.random.random() < 0.6 else Action.ENTER
        try:
            stand.ask(action, product, confidence=Decimal(self.random.randint(2, 10)) / 10)
            self.counts["stored"] += 1
        except (BusError, TimeoutError):
            self.counts["not stored, or nobody knows"] += 1


@dataclass(slots=True)
class Operator:
    """Looks every second, and does what docs/operations.md says of the causes that an operator ends."""

    world: World
    acts: Counter[str] = field(default_factory=Counter)
    todo: deque[str] = field(default_factory=deque)
    is_patient: bool = False
    _since: dict[str, float] = field(default_factory=dict)

    def watch(self) -> None:
        """Look until the chaos is over; `is_patient` = a kill shall last."""
        while not self.world.is_over.wait(0.5):
            with contextlib.suppress(BusError, TimeoutError):  # the bus is away: the next look will do
                while self.todo:
                    self.world.stand.command(self.todo[0])
                    self.acts[self.todo.popleft()] += 1
                if not self.is_patient:
                    self.look()

    def look(self) -> None:
        """Act on causes that have held for two seconds."""
        stand = self.world.stand
        if not stand.seen.states:
            return
        now = time.monotonic()
        causes = {f"{cause.code} {cause.product or ''}": cause for cause in stand.state().causes}
        self._since = {key: self._since.get(key, now) for key in causes}
        lasting = [cause for key, cause in causes.items() if now - self._since[key] > 2]
        self._act(lasting)

    def _act(self, causes: list[Cause]) -> None:
        stand = self.world.stand
        orders = sorted({order for cause in causes for order in cause.orders})
        if orders:
            self.world.notes.append(f"{self.world.at:.0f} s: an order that nobody approved? {causes}")
        if any(cause.code in RESETTABLE for cause in causes):
            self.acts["reset"] += 1
            stand.command("reset", orjson.dumps({"reason": "chaos", "orders": orders[:100]}))
        elif any(cause.code in RESUMABLE and not cause.until for cause in causes):
            self.acts["resume"] += 1
            stand.command("resume")
