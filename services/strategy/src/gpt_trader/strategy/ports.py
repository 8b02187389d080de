"""What the shell needs of the world; its errors are those of the bus."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from gpt_trader.contracts.message import Message
from gpt_trader.runtime.bus import Received
from gpt_trader.strategy.domain.state import Output


class SignalBus(Protocol):
    """Where signals go; `store` raises BusUnavailable or PublishUnknown, and repeating it is safe."""

    @property
    def reconnects(self) -> int:
        """How often the connection came back: what was published meanwhile did not reach us."""
        ...

    async def publish(self, subject: str, message: Message) -> None:
        """Tell whoever listens."""
        ...

    async def store(self, subject: str, message: Message, *, message_id: str) -> int:
        """Put it on disk, once per id."""
        ...


class Past(Protocol):
    """What was said before we listened; raises BusUnavailable while it can't be read."""

    async def setup(self, strategies: Iterable[str]) -> list[Received]:
        """Return the universe and the parameters in force."""
        ...

    async def candles(self, interval: str, product: str, count: int) -> list[Received]:
        """Return about this many of the newest candles, oldest first."""
        ...

    async def standing(self) -> list[Received]:
        """Return what decides whether trading may go on, and the account."""
        ...


class InputRecord(Protocol):
    """Keeps each input in the order in which it was folded."""

    def record(self, at: datetime, subject: str, payload: bytes) -> None:
        """Append one input."""
        ...


class Measurements(Protocol):
    """Counts and gauges of what the strategies see and say."""

    def folded(self, kind: str, took: timedelta) -> None:
        """Count an input that was folded, and the time it took."""
        ...

    def said(self, output: Output) -> None:
        """Count an output."""
        ...

    def malformed(self, subject: str) -> None:
        """Count a message that could not be read."""
        ...

    def coalesced(self) -> None:
        """Count a tick that a newer one of its product overtook before it was evaluated."""
        ...

    def lost(self) -> None:
        """Count a signal that expired before it could be stored."""
        ...
