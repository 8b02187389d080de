"""A command is done when the gate's state says so, not when the gate merely speaks."""

from datetime import UTC, datetime

import pytest

from gpt_trader.console.domain.acknowledgement import is_acknowledged
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import Cause, TradingState, TradingStatus
from gpt_trader.contracts.message import GENESIS_HASH

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HALTED, PAUSED, REDUCE_ONLY = TradingStatus.HALTED, TradingStatus.PAUSED, TradingStatus.REDUCE_ONLY


def a_state(*causes: tuple[str, TradingStatus, str | None]) -> TradingState:
    return TradingState(
        status=max((status for _, status, _ in causes), key=list(TradingStatus).index, default=TradingStatus.ACTIVE),
        causes=tuple(
            Cause(code=code, status=status, detail="", product=product, since=NOW, until=None)
            for code, status, product in causes
        ),
        epoch=1,
        sequence=1,
        creates_in_flight=0,
        decisions=0,
        records=0,
        head_hash=GENESIS_HASH,
        published_at=NOW,
    )


KILLED = a_state(("kill", HALTED, None))
STARTING = a_state(("starting", HALTED, None))
BTC_PAUSED = a_state(("operator_pause", PAUSED, "BTC-USD"))
ALL_PAUSED = a_state(("operator_pause", PAUSED, None))
REDUCING = a_state(("operator_reduce_only", REDUCE_ONLY, None))
FREE = a_state()


@pytest.mark.parametrize(
    ("subject", "product", "before", "after"),
    [
        (subjects.CONTROL_KILL, None, STARTING, KILLED),
        (subjects.CONTROL_RESET, None, KILLED, FREE),
        (subjects.CONTROL_PAUSE, "BTC-USD", FREE, BTC_PAUSED),
        (subjects.CONTROL_PAUSE, "ETH-USD", BTC_PAUSED, a_state(("operator_pause", PAUSED, "ETH-USD"))),
        (subjects.CONTROL_REDUCE_ONLY, None, FREE, REDUCING),
        (subjects.CONTROL_RESUME, None, REDUCING, FREE),
        (subjects.CONTROL_RESUME, None, BTC_PAUSED, FREE),
        (subjects.CONTROL_RESUME, "BTC-USD", BTC_PAUSED, ALL_PAUSED),
        (subjects.CONTROL_FLATTEN, None, KILLED, REDUCING),
        (subjects.CONTROL_FLATTEN, "BTC-USD", FREE, BTC_PAUSED),
    ],
)
def test_a_command_is_acknowledged_by_its_effect(
    subject: str, product: str | None, before: TradingState, after: TradingState
) -> None:
    assert not is_acknowledged(subject, product, before)
    assert is_acknowledged(subject, product, after)


def test_a_subject_that_is_no_command_has_no_acknowledgement() -> None:
    with pytest.raises(KeyError, match=r"control\.dance"):
        is_acknowledged("control.dance", None, FREE)
