"""What the machine under the gate does to trading: room, the disk's speed, the clock."""

from datetime import timedelta

import pytest
from gate_builders import NOW, a_state

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.risk_gate.domain.gate import folded
from gpt_trader.risk_gate.domain.history import Moment, noted
from gpt_trader.risk_gate.domain.machine import MachineLimits, MachineView, bus_watched, watched
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import standing

SECOND = timedelta(seconds=1)
LIMITS = MachineLimits(min_free_bytes=1000, slow_write=SECOND, clock_drift=SECOND)
TICK = timedelta(microseconds=1)


def seen(*, free: int = 1000, wait: timedelta = SECOND, drift: timedelta = SECOND) -> MachineView:
    return MachineView(free_bytes=free, write_wait=wait, clock_drift=drift)


def after(view: MachineView, state: GateState | None = None) -> GateState:
    state = a_state() if state is None else state
    return folded(watched(state, view, LIMITS, NOW), state)


def test_at_every_limit_nothing_is_restricted() -> None:
    assert not watched(a_state(), seen(), LIMITS, NOW)


@pytest.mark.parametrize(
    ("view", "code"),
    [
        (seen(free=999), "disk_space"),
        (seen(wait=SECOND + TICK), "slow_disk"),
        (seen(drift=SECOND + TICK), "clock_jump"),
        (seen(drift=-SECOND - TICK), "clock_jump"),
    ],
    ids=["room", "wait", "set forward", "set back"],
)
def test_past_a_limit_trading_is_reduce_only_until_it_is_back(view: MachineView, code: str) -> None:
    restricted = after(view)

    assert standing(restricted.causes, None, NOW).status is TradingStatus.REDUCE_ONLY
    assert standing(restricted.causes, None, NOW).codes == (code,)
    assert not watched(restricted, view, LIMITS, NOW), "said once"
    assert standing(after(seen(), restricted).causes, None, NOW).status is TradingStatus.ACTIVE


def test_moments_stay_in_order_when_an_earlier_run_was_ahead_of_this_one() -> None:
    ahead = (Moment(NOW + timedelta(hours=1), "BTC-USD"),)

    kept = noted(ahead, NOW, "ETH-USD")

    assert [moment.at for moment in kept] == [NOW + timedelta(hours=1)] * 2


@pytest.mark.parametrize("room", [{"INTENTS": 999, "FILLS": 5000}, {}], ids=["little", "unknown"])
def test_without_room_on_the_bus_trading_is_reduce_only_until_there_is_room(room: dict[str, int]) -> None:
    restricted = folded(bus_watched(a_state(), room, 1000, NOW), a_state())
    again = bus_watched(restricted, {"INTENTS": 1000, "FILLS": 5000}, 1000, NOW)

    assert standing(restricted.causes, None, NOW).codes == ("bus_store",)
    assert not bus_watched(restricted, room, 1000, NOW), "said once"
    assert not bus_watched(a_state(), {"INTENTS": 1000}, 1000, NOW)
    assert standing(folded(again, restricted).causes, None, NOW).status is TradingStatus.ACTIVE
