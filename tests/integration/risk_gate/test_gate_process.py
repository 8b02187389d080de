"""The gate as a process, in the real system."""

from pathlib import Path

import pytest
from gate_stack import gate_stack, until

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.signals import Action
from gpt_trader.runtime.journal import Verified, verify

pytestmark = pytest.mark.timeout(240)


async def test_a_signal_becomes_one_filled_order_and_a_position_that_exits_again(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        before = stack.position()

        entered = await stack.signal()
        await until(lambda: stack.position() > before, "a position")
        left = await stack.signal(Action.EXIT)
        await until(lambda: stack.position() == 0, "a flat position")

        assert entered.verdict is Verdict.APPROVED, entered.failures
        assert left.verdict is Verdict.APPROVED, left.failures
        await until(lambda: not stack.seen.accounts[-1].open_orders, "no open order")
        assert isinstance(verify(stack.manifest.gate_journal), Verified)
