"""(b) How many decisions a second: the pure function with every check evaluated, and the gate behind its bus."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from gate_builders import BTC, ETH, NOW, a_policy, a_request, a_signal, a_state, an_order_event, approved, with_event
from harness import RunningSystem

from gpt_trader.contracts.decisions import Outcome, Verdict
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.contracts.subjects import Zone, signals
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.runtime.bus import Bus, Received

PRODUCT = "BTC-USD"
_AT_ONCE = 32
_HOUR = 60
"""Orders of a busy hour."""
_LOOSE = {
    "frequency__trades_per_day": 100000,
    "frequency__trades_per_hour": 100000,
    "frequency__entries_per_hour": 100000,
    "frequency__strategy_entries_per_day": 100000,
    "frequency__strategy_entries_per_hour": 100000,
    "frequency__between_trades_seconds": 0,
    "frequency__per_product_seconds": 0,
    "frequency__messages_per_second": 1000,
    "frequency__messages_per_minute": 100000,
    "limits__notional_per_minute": 10000000,
    "limits__notional_per_hour": 10000000,
    "limits__notional_per_day": 10000000,
    "limits__max_open_orders": 100,
    "exposure__total_fraction": Decimal("0.9"),
    "exposure__per_asset_fraction": Decimal("0.9"),
    "repeats__same_orders": 100000,
    "sizing__max_entry_notional": 200,
}


def pure(rounds: int, orders_today: int) -> dict[str, float]:
    """Decisions per second on an approved entry: of a fresh gate, in a busy hour, and after many orders today."""
    policy = a_policy("demo", **_LOOSE)
    fresh = a_state(policy)
    request = a_request(signal=_signal(orders_today, BTC, NOW), marks={ETH: Decimal(50000)})
    states = {"fresh": fresh, "hour": _busy(policy, _HOUR), "day": _busy(policy, orders_today)}
    found = {"open_approvals": float(len(states["hour"].approvals))}
    for name, state in states.items():
        verdict = review(request, state, policy)
        checks = verdict.checks()
        assert verdict.verdict is Verdict.APPROVED, [one for one in checks if one.outcome is Outcome.FAILED]
        found["checks_evaluated"] = float(sum(one.outcome is not Outcome.SKIPPED for one in checks))
        found[name] = _per_second(rounds, partial(review, request, state, policy))
    found["decide"] = _per_second(rounds // 4, partial(decide, request, fresh, policy, CoinbaseBodies()))
    return found


def _busy(policy: Policy, orders: int) -> GateState:
    """Make a gate that holds something and approved so many orders, six seconds apart; the last five are open."""
    state = a_state(policy, positions={ETH: ("0.05", "50000")}, at=NOW - timedelta(hours=14))
    for number in range(orders):
        at = NOW - timedelta(seconds=6 * (orders - number))
        asked = _signal(number, ETH if number % 2 else BTC, at)
        request = a_request(signal=asked, now=at, marks={ETH: Decimal(50000)})
        state, intent = approved(state, policy, request)
        if number < orders - 5:
            state = with_event(state, an_order_event(intent, OrderStatus.CANCELED))
    return state


def _signal(number: int, product: str, at: datetime) -> Signal:
    return a_signal(signal_id=SignalId(f"bench-{number}"), product=product, created_at=at)


def _per_second(rounds: int, work: Callable[[], object]) -> float:
    """Best of three: what the machine can do when nobody else takes it."""
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(rounds):
            work()
        best = max(best, rounds / (time.perf_counter() - began))
    return best


def through_the_bus(running: RunningSystem, count: int) -> dict[str, float]:
    """Feed entries that one check denies (their reference price is far off), so that no order limits the pace."""

    async def work(bus: Bus) -> dict[str, float]:
        done = asyncio.Event()
        seen: list[float] = []

        async def on_decision(_received: Received) -> None:
            seen.append(time.perf_counter())
            if len(seen) >= count:
                done.set()

        newest: list[Tick] = []
        ticked = asyncio.Event()

        async def on_tick(received: Received) -> None:
            newest[:] = [Tick.decode(received.payload)]
            ticked.set()

        await bus.subscribe(f"ticks.{PRODUCT}", on_tick)
        await ticked.wait()
        await bus.subscribe("decisions.>", on_decision)
        numbers = iter(range(count))

        async def feed() -> None:
            for number in numbers:
                signal = _far_off(number, newest[0])
                await bus.store(signals("bench", PRODUCT), signal, message_id=signal.signal_id)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(feed())
        fed = time.perf_counter() - began
        async with asyncio.timeout(120):
            await done.wait()
        fifth = count // 5
        return {
            "decisions_per_second": count / (seen[-1] - began),
            "first_fifth_per_second": fifth / (seen[fifth - 1] - began),
            "last_fifth_per_second": fifth / (seen[count - 1] - seen[count - 1 - fifth]),
            "signals_fed_per_second": count / fed,
        }

    return running.as_zone(Zone.STRATEGY, work)


def _far_off(number: int, tick: Tick) -> Signal:
    at = tick.received_at
    return Signal(
        signal_id=SignalId(f"flood-{number}-{int(at.timestamp())}"),
        strategy="bench",
        product=PRODUCT,
        action=Action.ENTER,
        side=Side.BUY,
        confidence=Decimal(1),
        reference_price=tick.ask * (2 + Decimal(number) / 1000),
        stop_price=tick.ask / 2,
        target_price=tick.ask * 2,
        reason="flood",
        evidence={"purpose": Purpose.ENTRY.value},
        parameters_version="0",
        caused_by=f"flood:{number}",
        created_at=at,
        expires_at=at + timedelta(seconds=60),
    )
