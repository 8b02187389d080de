"""`gpt-trader reset --excuse`: what is typed is what the gate is asked, no order more and none less."""

import typer

from gpt_trader.console.__main__ import app
from gpt_trader.console.commands.act import reset_of
from gpt_trader.contracts import subjects
from gpt_trader.contracts.control import Reset
from gpt_trader.risk_gate.domain.commands import parsed


def typed(*words: str) -> Reset:
    """Parse a command line as the shell's, and return the command that it makes."""
    group = typer.main.get_group(app)
    with group.make_context("gpt-trader", ["reset", *words], resilient_parsing=False) as context:
        name, command, rest = group.resolve_command(context, ["reset", *words])
        assert name == "reset"
        assert command is not None
        with command.make_context("reset", rest, parent=context) as inner:
            return reset_of(inner.params["excuse"], inner.params["reason"])


def test_each_order_that_is_named_is_excused_and_the_reason_goes_with_it() -> None:
    command = typed("--reason", "by hand", "--excuse", "v1", "--excuse", "v2")

    assert (command.orders, command.reason) == (("v1", "v2"), "by hand")
    assert parsed(subjects.CONTROL_RESET, command.encode()) == command


def test_a_reset_that_names_no_order_excuses_none() -> None:
    assert typed("--reason", "by hand").orders == ()
