"""A second gate with a journal of its own, on the bus of the first."""

import asyncio
import sys
from pathlib import Path

import pytest
import yaml
from gate_stack import GateStack, gate_stack, until

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.signals import Action

pytestmark = pytest.mark.timeout(240)


def profile_of_a_second_gate(stack: GateStack) -> Path:
    """Give it the same bus and keys, but another journal and other ports."""
    profile = yaml.safe_load(stack.folder.profile.read_text())
    profile["risk-gate"] |= {"journal_dir": str(stack.folder.root / "second"), "egress_port": 0, "health_port": 0}
    path: Path = stack.folder.root / "second.yaml"
    path.write_text(yaml.safe_dump(profile))
    return path


async def test_a_gate_that_does_not_know_what_was_approved_refuses_to_start_and_fences_nobody(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        entered = await stack.signal()
        assert entered.verdict is Verdict.APPROVED, entered.failures
        await until(lambda: stack.position() > 0 and not stack.seen.accounts[-1].open_orders, "a position")
        epoch = (await stack.status(TradingStatus.ACTIVE)).epoch

        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gpt_trader.risk_gate", "--profile", str(profile_of_a_second_gate(stack)),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(second.communicate(), 60)
        left = await stack.signal(Action.EXIT)
        await until(lambda: stack.position() == 0, "a flat position")

        assert second.returncode == 2, output
        assert b"JournalCut" in output, "it lacks what the first gate said in public of its own journal"
        assert left.verdict is Verdict.APPROVED, left.failures
        assert stack.seen.states[-1].epoch == epoch
