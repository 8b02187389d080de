"""Commands that change trading: each waits for the gate's own word that it was done."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gpt_trader.console.adapters.screen import status_line
from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, Reason, RunDir, emit, first, on_the_bus
from gpt_trader.console.connection import Manifest
from gpt_trader.console.domain.acknowledgement import is_acknowledged
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingState
from gpt_trader.contracts.control import Flatten, OperatorCommand, Pause, ReduceOnly, Reset, Resume
from gpt_trader.runtime.bus import Bus, Received, decoded
from gpt_trader.runtime.clock import Clock

Product = Annotated[str | None, typer.Option(help="Only this product, for example BTC-USD.")]


def kill(run_dir: RunDir = DEFAULT_RUN, reason: Reason = "operator", as_json: AsJson = False) -> None:
    """Stop at once: only a flatten is sent until `gpt-trader reset`. Any bus client can: nats pub control.kill now."""
    state = _order(run_dir, subjects.CONTROL_KILL, OperatorCommand(reason=reason))
    _tell(state, "killed: latched until `gpt-trader reset`", as_json=as_json)


def reset(
    excuse: Annotated[
        list[str] | None, typer.Option(help="Excuse this order, by the venue's id as `gpt-trader status` shows it.")
    ] = None,
    run_dir: RunDir = DEFAULT_RUN,
    reason: Reason = "operator",
    as_json: AsJson = False,
) -> None:
    """Clear the kill latch; causes that still hold stay, and so does the halt for orders that are not excused."""
    state = _order(run_dir, subjects.CONTROL_RESET, reset_of(excuse, reason))
    _tell(state, "kill latch cleared", as_json=as_json)


def reset_of(excuse: list[str] | None, reason: str) -> Reset:
    """Say what a reset asks of the gate: it excuses exactly the orders that were named."""
    return Reset(reason=reason, orders=tuple(excuse or ()))


def pause(
    minutes: Annotated[int, typer.Option(min=1, max=10080, help="For how long.")] = 60,
    product: Product = None,
    run_dir: RunDir = DEFAULT_RUN,
    reason: Reason = "operator",
    as_json: AsJson = False,
) -> None:
    """Block entries for a time, for one product or all; exits go on."""
    command = Pause(minutes=minutes, product=product, reason=reason)
    state = _order(run_dir, subjects.CONTROL_PAUSE, command, product)
    _tell(state, f"entries blocked for {minutes} minutes", as_json=as_json)


def resume(
    product: Product = None, run_dir: RunDir = DEFAULT_RUN, reason: Reason = "operator", as_json: AsJson = False
) -> None:
    """Clear pauses and reduce-only; never a kill."""
    command = Resume(product=product, reason=reason)
    state = _order(run_dir, subjects.CONTROL_RESUME, command, product)
    _tell(state, "resumed", as_json=as_json)


def reduce_only(run_dir: RunDir = DEFAULT_RUN, reason: Reason = "operator", as_json: AsJson = False) -> None:
    """Send only what shrinks a position, until resumed."""
    state = _order(run_dir, subjects.CONTROL_REDUCE_ONLY, ReduceOnly(reason=reason))
    _tell(state, "reduce-only until `gpt-trader resume`", as_json=as_json)


def flatten(
    product: Product = None, run_dir: RunDir = DEFAULT_RUN, reason: Reason = "operator", as_json: AsJson = False
) -> None:
    """Cancel all orders, then close positions in slices with bounded slippage; works while halted."""
    state = _order(run_dir, subjects.CONTROL_FLATTEN, Flatten(product=product, reason=reason), product)
    _tell(state, "flatten is recorded: follow it with `gpt-trader positions`", as_json=as_json)


def _order(run_dir: Path, subject: str, command: OperatorCommand, product: str | None = None) -> TradingState:
    async def work(bus: Bus, clock: Clock, _manifest: Manifest) -> TradingState:
        done: asyncio.Future[TradingState] = asyncio.get_running_loop().create_future()

        async def on_state(state: TradingState, _received: Received) -> None:
            if is_acknowledged(subject, product, state) and not done.done():
                done.set_result(state)

        await bus.subscribe(subjects.STATE_TRADING, decoded(TradingState, on_state))
        await bus.store(subject, command, message_id=f"{subject} {clock.wall().isoformat()}")
        typer.echo("recorded on the bus; waiting for the risk gate ...", err=True)
        return await first(done, "answer of the risk gate; the command is recorded and holds once the gate is back")

    return on_the_bus(run_dir, work)


def _tell(state: TradingState, words: str, *, as_json: bool) -> None:
    if as_json:
        emit(state)
        return
    typer.echo(f"{words} (gate's record {state.sequence}, {state.creates_in_flight} creates in flight)")
    typer.echo(status_line(state).plain)
