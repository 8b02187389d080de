"""The gate as a process, in the real system."""

import asyncio
import json
import os
import shutil
import signal
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
import yaml
from gate_stack import BTC, GateStack, gate_stack, until
from redis.asyncio import Redis

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.keyfile import load_exchange_key
from gpt_trader.risk_gate.adapters.tls import client_context
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.replay import rejudged
from gpt_trader.runtime.journal import Verified, read, verify
from gpt_trader.runtime.secret_files import read_secret


async def in_position(stack: GateStack) -> Decimal:
    """Enter and wait until the gate knows of it."""
    entered = await stack.signal()
    assert entered.verdict is Verdict.APPROVED, entered.failures
    await until(lambda: stack.position() > 0 and not stack.seen.accounts[-1].open_orders, "a position")
    return stack.position()


def journaled(stack: GateStack) -> list[records.Record]:
    return [records.parse(entry.payload) for entry in read(stack.manifest.gate_journal)]


async def test_a_signal_becomes_one_filled_order_and_a_position_that_exits_again(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        await in_position(stack)
        left = await stack.signal(Action.EXIT)
        await until(lambda: stack.position() == 0, "a flat position")
        repeated = await stack.signal(Action.ENTER, signal_id=left.signal.signal_id)

        assert left.verdict is Verdict.APPROVED, left.failures
        assert "signal_id_is_first" in {check.rule for check in repeated.failures}
        assert isinstance(verify(stack.manifest.gate_journal), Verified)
        written = journaled(stack)
        limits = next(record.document for record in written if isinstance(record, records.PolicyAdopted))
        again = list(rejudged(written, Policy.model_validate_json(limits)))
        assert again
        assert all(one.review.checks() == one.decision.checks for one in again)


async def test_a_kill_is_latched_over_a_crash_until_a_reset_and_a_flatten_works_meanwhile(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        await in_position(stack)
        await stack.command(subjects.CONTROL_KILL, b"now")
        halted = await stack.status(TradingStatus.HALTED)
        refused = await stack.signal()
        exit_refused = await stack.signal(Action.EXIT)

        stack.crash()
        await stack.restart()
        await stack.status(TradingStatus.HALTED)
        await stack.command(subjects.CONTROL_FLATTEN)
        await until(lambda: stack.position() == 0, "a flat position")
        await stack.command(subjects.CONTROL_RESET)
        await stack.status(TradingStatus.REDUCE_ONLY)
        await stack.command(subjects.CONTROL_RESUME)
        await stack.status(TradingStatus.ACTIVE)

        assert halted.creates_in_flight == 0
        assert "state_allows" in {check.rule for check in refused.failures}
        assert "state_allows" in {check.rule for check in exit_refused.failures}
        assert (await stack.signal()).verdict is Verdict.APPROVED


async def test_a_kill_published_while_the_gate_is_down_holds_when_it_starts(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        stack.crash()
        await stack.command(subjects.CONTROL_KILL)
        await stack.restart()

        state = await stack.status(TradingStatus.HALTED)

        assert "kill" in {cause.code for cause in state.causes}
        assert all(one.status is not TradingStatus.ACTIVE for one in stack.seen.states)


async def test_a_crash_loses_nothing_the_gate_knew(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        held = await in_position(stack)
        before = [decision.hash for decision in stack.seen.decisions]
        epoch = stack.seen.states[-1].epoch

        stack.crash()
        await stack.restart()
        state = await stack.status(TradingStatus.ACTIVE)
        await until(lambda: bool(stack.seen.accounts), "an account")
        again = await stack.signal(Action.EXIT)

        assert stack.position() == held
        assert state.epoch > epoch
        assert again.previous_hash == before[-1]
        assert again.verdict is Verdict.APPROVED, again.failures


async def test_a_lost_state_store_blocks_entries_and_its_kill_key_halts(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        url = f"redis://127.0.0.1:{stack.local.ports.redis}"
        os.kill(stack.process("redis").pid, signal.SIGSTOP)
        stalled = await stack.status(TradingStatus.REDUCE_ONLY)
        os.kill(stack.process("redis").pid, signal.SIGCONT)
        await stack.status(TradingStatus.ACTIVE)

        operator = read_secret(stack.folder.of("operator") / "redis.password")
        async with Redis.from_url(url, username="operator", password=operator) as redis:
            await redis.set("risk:kill", "1")
        halted = await stack.status(TradingStatus.HALTED)

        assert {cause.code for cause in stalled.causes} == {"state_store"}
        assert {cause.code for cause in halted.causes} == {"kill_key"}


async def second_gate(stack: GateStack, folder: Path) -> asyncio.subprocess.Process:
    """Start another gate with a journal folder of its own."""
    profile = yaml.safe_load(stack.folder.profile.read_text())
    profile["risk-gate"] |= {"journal_dir": str(folder), "egress_port": 0, "health_port": 0}
    profile["runtime"] |= {"run_dir": str(folder)}
    other = folder / "other.yaml"
    other.write_text(yaml.safe_dump(profile))
    return await asyncio.create_subprocess_exec(
        *stack.process("risk-gate").argv[:3], "--profile", str(other), stderr=asyncio.subprocess.PIPE
    )


async def test_a_second_gate_takes_the_epoch_and_the_first_one_ends(tmp_path: Path) -> None:
    """As on a host that was thought dead: its pod stands still, another one takes over with all that was written."""
    async with gate_stack(tmp_path) as stack:
        first, epoch = stack.process("risk-gate").pid, stack.seen.states[-1].epoch
        os.kill(first, signal.SIGSTOP)
        other = Path(shutil.copytree(stack.manifest.gate_journal.parent, tmp_path / "other"))
        second = await second_gate(stack, other)
        try:
            await until(lambda: stack.seen.states[-1].epoch > epoch, "the second gate")
            os.kill(first, signal.SIGCONT)
            await until(lambda: stack.process("risk-gate").pid != first, "the end of the first gate")
        finally:
            second.kill()
            await second.communicate()

        log = stack.process("risk-gate").log.read_text()
        assert "FencedOff" in log
        assert '"exit_code": 3' in log


async def test_a_journal_shorter_than_what_the_gate_said_in_public_is_refused(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        (tmp_path / "empty").mkdir()
        epoch = stack.seen.states[-1].epoch

        second = await second_gate(stack, tmp_path / "empty")
        _, log = await second.communicate()

        assert second.returncode == 2
        assert b"the journal was cut, or put back from an older copy" in log
        assert stack.seen.states[-1].epoch == epoch


async def test_an_order_that_nobody_approved_halts_trading_and_is_canceled(tmp_path: Path) -> None:
    async with gate_stack(tmp_path) as stack:
        await foreign_order(stack)

        halted = await stack.status(TradingStatus.HALTED)

        assert {cause.code for cause in halted.causes} == {"unapproved_order"}


async def foreign_order(stack: GateStack) -> None:
    """Place a resting order with the gate's own key, as a thief would."""
    settings = yaml.safe_load(stack.folder.profile.read_text())["risk-gate"]
    key = load_exchange_key(Path(settings["cdp_key_file"]))
    tokens = Tokens(key=key, host=settings["venue_rest"], life=timedelta(seconds=15), clock=stack.clock)
    path = "/api/v3/brokerage/orders"
    price = (stack.seen.ticks[BTC].bid * Decimal("0.9")).quantize(Decimal("0.01"))
    body = {
        "client_order_id": "not-ours",
        "product_id": BTC,
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.001", "limit_price": str(price)}},
    }
    headers = {"Authorization": f"Bearer {tokens.for_request('POST', path)}", "Content-Type": "application/json"}
    tls = client_context(Path(settings["venue_ca_file"]))
    url = f"https://{settings['venue_rest']}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=json.dumps(body), headers=headers, ssl=tls) as answer,
    ):
        assert (await answer.json())["success"], await answer.text()
