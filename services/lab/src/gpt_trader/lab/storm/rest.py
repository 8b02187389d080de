"""Whether everything is over when the storm is, and executor, gate, bus and venue say the same of it."""

from decimal import Decimal

from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.subjects import Zone
from gpt_trader.executor.domain.order import Order
from gpt_trader.lab.storm.terms import PRODUCTS
from gpt_trader.lab.storm.venue import Booked
from gpt_trader.lab.storm.world import World
from gpt_trader.runtime.journal import Broken, verify

_JOURNALS = ("gate/gate.jsonl", "executor/executor.journal")


def is_opened(world: World) -> bool:
    """Whether the gate has reconciled once and the executor may send."""
    is_gate = world.gate is not None and world.gate.publisher.is_reconciled
    return is_gate and world.executor is not None and world.executor.placer.incapacity() is None


def is_reached(world: World) -> bool:
    """Whether nothing is on its way any more."""
    return not unrest(world)


def unrest(world: World) -> str:
    """Say what is still on its way; empty = nothing."""
    gate, executor = world.gate, world.executor
    if gate is None or executor is None or world.egress.door is None:
        return "a service is down"
    ledger = executor.books.ledger
    found: dict[str, list[str]] = {
        "orders at the venue": [one.venue_order_id for one in world.venue.orders.values() if not one.is_over],
        "orders of the executor": list(ledger.live),
        "reports unsaid": list(ledger.unsaid),
        "approvals open at the gate": list(gate.desk.ledger.state.approvals),
        "messages not acknowledged": [
            f"{one.durable.stream}/{one.durable.name}"
            for one in world.server.consumers.values()
            if one.durable.zone in {Zone.GATE, Zone.EXECUTOR}
            and (one.pending or one.cursor < world.server.streams[one.durable.stream].last_sequence)
        ],
        "books": _differences(world),
    }
    return "; ".join(f"{name}: {', '.join(what)}" for name, what in found.items() if what)


def compare(world: World) -> None:
    """Judge what must hold at rest (I7, I8, I13, I14, L1)."""
    violated = world.witness.violated
    reason = unrest(world)
    if reason:
        violated("L1", reason)
        return
    for name in _JOURNALS:
        verdict = verify(world.folder / name)
        if isinstance(verdict, Broken):
            violated("I13", f"{name} line {verdict.at}: {verdict.reason}")
    orders = {} if world.executor is None else world.executor.books.ledger.orders
    for order_id in sorted(world.witness.stored):
        order = orders.get(order_id)
        if order is None:
            violated("I8", f"{order_id} was approved, and the executor knows nothing of it")
        else:
            _compare_order(world, order, world.witness.at_venue.get(order_id, []))


def _compare_order(world: World, order: Order, booked: list[Booked]) -> None:
    violated, order_id = world.witness.violated, order.client_order_id
    reports = world.witness.terminal.get(order_id, [])
    if len(reports) != 1:
        violated("I8", f"{order_id} has {len(reports)} terminal reports")
    ends = [one.status for one in booked]
    is_dead = order.status in {OrderStatus.FAILED, OrderStatus.REJECTED}
    if ends != ([] if is_dead else [order.status]):
        violated("I7", f"{order_id} is {order.status} for the executor, and {ends or 'not there'} at the venue")
    filled = sum((one.filled for one in booked), Decimal(0))
    if order.done.quantity != filled or filled > order.intent.quantity:
        violated("I8", f"{order_id}: {order.done.quantity} counted, {filled} executed of {order.intent.quantity}")


def _differences(world: World) -> list[str]:
    """Compare the gate's books with the venue's, exactly."""
    if world.gate is None:
        return []
    portfolio = world.gate.desk.ledger.state.portfolio
    ours = {"USD": portfolio.cash.get("USD", Decimal(0)), **{one: portfolio.quantity(one) for one in PRODUCTS}}
    theirs = {"USD": world.venue.cash, **{one: world.venue.position(one) for one in PRODUCTS}}
    return [f"{name}: ours {ours[name]}, venue {theirs[name]}" for name in ours if ours[name] != theirs[name]]
