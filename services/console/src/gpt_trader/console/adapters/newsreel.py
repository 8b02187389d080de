"""Feeds the picture from the bus."""

from collections.abc import Callable

from gpt_trader.console.domain.picture import News, Picture
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, TradingState
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.signals import NoTrade, Signal
from gpt_trader.contracts.telemetry import Heartbeat
from gpt_trader.runtime.bus import Bus, Received, decoded
from gpt_trader.runtime.clock import Clock

_FEEDS: tuple[tuple[str, type[Message]], ...] = (
    ("ticks.>", Tick),
    ("signals.>", Signal),
    ("no_trade.>", NoTrade),
    ("decisions.>", Decision),
    ("orders.>", OrderEvent),
    ("fills.>", Fill),
    (subjects.ACCOUNT, AccountSnapshot),
    (subjects.STATE_TRADING, TradingState),
    *((subjects.heartbeats(zone), Heartbeat) for zone in subjects.SERVICES),
)


async def follow(bus: Bus, picture: Picture, clock: Clock, on_news: Callable[[News], None]) -> None:
    """Subscribe to all that an operator may read; `on_news` is told of each message after the picture has it."""

    async def on_message(news: Message, _received: Received) -> None:
        if isinstance(news, News):
            picture.see(news, clock.wall())
            on_news(news)

    for pattern, model in _FEEDS:
        await bus.subscribe(pattern, decoded(model, on_message))
