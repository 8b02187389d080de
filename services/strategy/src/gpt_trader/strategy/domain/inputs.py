"""What the domain takes in, and how each input is spelled on the bus and in a recording."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, TradingState
from gpt_trader.contracts.market import Candle, Tick, Universe
from gpt_trader.contracts.proposals import Parameters

PULSE = "pulse"
"""Not on the bus: the shell's word that time has passed."""


@dataclass(frozen=True, slots=True)
class Kill:
    """An operator's kill; its payload means nothing."""


@dataclass(frozen=True, slots=True)
class KillReset:
    """An operator cleared the kill; trading resumes when the gate says so."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """Time passed; nothing else happened."""


Input = Tick | Candle | AccountSnapshot | TradingState | Parameters | Universe | Kill | KillReset | Pulse

_FIXED: Mapping[str, Callable[[bytes], Input]] = {
    subjects.ACCOUNT: AccountSnapshot.decode,
    subjects.STATE_TRADING: TradingState.decode,
    subjects.UNIVERSE: Universe.decode,
    subjects.CONTROL_KILL: lambda _: Kill(),
    subjects.CONTROL_RESET: lambda _: KillReset(),
    PULSE: lambda _: Pulse(),
}
_FAMILIES: Mapping[str, Callable[[bytes], Input]] = {
    "ticks": Tick.decode,
    "candles": Candle.decode,
    "parameters": Parameters.decode,
}


def parse(subject: str, payload: bytes) -> Input | None:
    """Read one input; None for what a strategy ignores, pydantic.ValidationError for what is malformed."""
    read = _FIXED.get(subject) or _FAMILIES.get(subject.partition(".")[0])
    return None if read is None else read(payload)
