"""What happens around the services: ticks, signals, and an operator who kills and resets."""

from decimal import Decimal

from gpt_trader.contracts import subjects
from gpt_trader.contracts.control import Reset
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.market import BookDepth, BookSummary, FeedState, FeedStatus, Tick, Universe
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.lab.storm.terms import PRODUCTS, spec
from gpt_trader.lab.storm.world import World

_TICK_SECONDS = 0.25
_SPREAD = Decimal("0.0001")
_WOBBLE = Decimal("0.0002")
_DEPTH = Decimal(500_000)
_STRATEGY = "storm"
_ENTRIES_OF_TEN = 4


def begin(world: World) -> None:
    """Tell the universe, and tick for ever."""
    now = world.clock.now()
    products = tuple(spec(product) for product in PRODUCTS)
    _publish(world, subjects.UNIVERSE, Universe(version=1, products=products, published_at=now))
    for product in PRODUCTS:
        feed = FeedStatus(
            product=product,
            state=FeedState.CLEAN,
            reason="",
            since=now,
            last_message_at=now,
            gaps=0,
            reconnects=0,
            published_at=now,
        )
        _publish(world, subjects.feed(product), feed)
    _go_on(world)


def ask(world: World, number: int) -> None:
    """Have a strategy ask for an entry, or for an exit where something is held: most others would be denied."""
    names = tuple(PRODUCTS)
    product = names[world.fate.number("signal", len(names) - 1)]
    is_entry = world.fate.number("signal", 9) < _ENTRIES_OF_TEN or not world.venue.position(product)
    now, price = world.clock.now(), world.venue.prices[product]
    signal = Signal(
        signal_id=SignalId(f"signal-{number}"),
        strategy=_STRATEGY,
        product=product,
        action=Action.ENTER if is_entry else Action.EXIT,
        side=Side.BUY if is_entry else Side.SELL,
        confidence=Decimal(1),
        reference_price=price,
        stop_price=price * Decimal("0.9"),
        target_price=price * Decimal("1.2"),
        reason="storm",
        evidence={},
        parameters_version="1",
        caused_by="storm",
        created_at=now,
        expires_at=now.replace(year=now.year + 1),
    )
    world.server.store(subjects.signals(_STRATEGY, product), signal.encode(), {}, signal.signal_id, None)


def kill(world: World) -> None:
    """Publish a kill; a reset follows."""
    world.server.publish(subjects.CONTROL_KILL, b"storm", {})
    world.loop.later(world.fate.seconds("operator", 0.2, 0.8), _reset, world)


def _reset(world: World) -> None:
    world.server.publish(subjects.CONTROL_RESET, Reset(reason="the storm goes on").encode(), {})


def tick(world: World) -> None:
    """Publish where the markets stand; a gate that was not up for it knows no mark until the next."""
    now = world.clock.now()
    for product, start in PRODUCTS.items():
        wobble = Decimal(world.fate.number("price", 4) - 2) * _WOBBLE
        price = (start * (1 + wobble)).quantize(Decimal("0.01"))
        world.venue.prices[product] = price
        bid, ask_ = (price * (1 - _SPREAD)).quantize(Decimal("0.01")), (price * (1 + _SPREAD)).quantize(Decimal("0.01"))
        quotes = {"product": product, "bid": bid, "ask": ask_, "bid_quantity": Decimal(2), "ask_quantity": Decimal(2)}
        times = {"sequence": world.timeline.steps, "occurred_at": now, "received_at": now}
        _publish(world, subjects.ticks(product), Tick(last_price=price, **quotes, **times))
        depth = tuple(BookDepth(within_bps=bps, bid_notional=_DEPTH, ask_notional=_DEPTH) for bps in (10, 50, 100))
        _publish(world, subjects.books(product), BookSummary(depth=depth, **quotes, **times))


def _go_on(world: World) -> None:
    tick(world)
    world.loop.later(_TICK_SECONDS, _go_on, world)


def _publish(world: World, subject: str, message: Message) -> None:
    world.server.publish(subject, message.encode(), {})
