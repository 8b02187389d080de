"""Values that are possible and hardly meant: said by a check of the policy and at the gate's start, never refused."""

from collections.abc import Iterator

from gpt_trader.risk_gate.domain.policy import Policy


def oddities(policy: Policy) -> tuple[str, ...]:
    """Name each limit that another makes pointless, or that stops all trading; a sentence begins with its key."""
    return (*_never_reached(policy), *_never_trades(policy))


def _never_reached(policy: Policy) -> Iterator[str]:
    """Yield each cap above the one that holds before it."""
    limits, frequency, losses = policy.limits, policy.frequency, policy.losses
    pairs = (
        ("limits.notional_per_hour", limits.notional_per_hour, "limits.notional_per_day", limits.notional_per_day),
        (
            "limits.notional_per_minute",
            limits.notional_per_minute,
            "limits.notional_per_hour",
            limits.notional_per_hour,
        ),
        ("limits.max_order_notional", limits.max_order_notional, "limits.notional_per_minute",
         limits.notional_per_minute),
        ("limits.max_order_notional", limits.max_order_notional, "limits.max_position_notional",
         limits.max_position_notional),
        ("sizing.max_entry_notional", policy.sizing.max_entry_notional, "limits.max_order_notional",
         limits.max_order_notional),
        ("frequency.trades_per_hour", frequency.trades_per_hour, "frequency.trades_per_day", frequency.trades_per_day),
        ("frequency.entries_per_hour", frequency.entries_per_hour, "frequency.trades_per_hour",
         frequency.trades_per_hour),
        ("frequency.strategy_entries_per_hour", frequency.strategy_entries_per_hour,
         "frequency.strategy_entries_per_day", frequency.strategy_entries_per_day),
        ("losses.daily_warn_fraction", losses.daily_warn_fraction, "limits.daily_loss_fraction",
         limits.daily_loss_fraction),
        ("limits.daily_loss_fraction", limits.daily_loss_fraction, "losses.daily_halt_fraction",
         losses.daily_halt_fraction),
        ("losses.weekly_warn_fraction", losses.weekly_warn_fraction, "losses.weekly_fraction", losses.weekly_fraction),
        ("losses.drawdown_warn_fraction", losses.drawdown_warn_fraction, "limits.drawdown_fraction",
         limits.drawdown_fraction),
    )  # fmt: skip
    for name, value, above, bound in pairs:
        if value > bound:
            yield f"{name} = {value} is above {above} = {bound}, which holds before it"


def _never_trades(policy: Policy) -> Iterator[str]:
    """Yield each limit under which nothing can be entered."""
    if not policy.window.weekdays:
        yield "window.weekdays names no day: nothing is ever entered"
    if policy.sizing.min_order_notional > policy.limits.max_order_notional:
        yield "sizing.min_order_notional is above limits.max_order_notional: every entry is denied"
