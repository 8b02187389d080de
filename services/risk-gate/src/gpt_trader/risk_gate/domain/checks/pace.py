"""G11-G13, G19: how often, how soon after what, and at which hours."""

from datetime import timedelta

from gpt_trader.risk_gate.domain.checks.case import NO, YES, Case, Finding, below, elapsed
from gpt_trader.risk_gate.domain.checks.standing import kind_of
from gpt_trader.risk_gate.domain.trading_state import throttled

_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def trades_per_day_are_few(case: Case) -> Finding:
    """Orders approved since the start of the UTC day."""
    return below(case.state.history.trades_since(case.before_today), case.policy.frequency.trades_per_day)


def trades_per_hour_are_few(case: Case) -> Finding:
    """Orders approved within an hour."""
    return below(case.state.history.trades_since(case.now - _HOUR), case.policy.frequency.trades_per_hour)


def entries_per_hour_are_few(case: Case) -> Finding:
    """Entries approved within an hour."""
    return below(case.state.history.entries_since(case.now - _HOUR), case.policy.frequency.entries_per_hour)


def strategy_is_enabled(case: Case) -> Finding:
    """Require that the strategy is not switched off, for entering too often or for insisting on what is denied."""
    return NO if throttled(case.state.causes, case.signal.strategy, case.now) else YES


def strategy_enters_rarely_in_a_day(case: Case) -> Finding:
    """Entries of this strategy since the start of the UTC day; one more switches it off until it is resumed."""
    entries = case.state.history.entries_of(case.signal.strategy, case.before_today)
    return below(entries, case.policy.frequency.strategy_entries_per_day)


def strategy_enters_rarely_in_an_hour(case: Case) -> Finding:
    """Entries of this strategy within an hour; one more switches it off until it is resumed."""
    entries = case.state.history.entries_of(case.signal.strategy, case.now - _HOUR)
    return below(entries, case.policy.frequency.strategy_entries_per_hour)


def trades_are_apart(case: Case) -> Finding:
    """Time since the last approved order of any product."""
    rest = case.policy.frequency.between_trades_seconds
    for kept in reversed(case.state.history.since(case.now - rest)):
        if kept.is_trade:
            return elapsed(kept.at, case.now, rest)
    return elapsed(None, case.now, rest)


def product_has_rested(case: Case) -> Finding:
    """Time since the last approved entry of this product."""
    rest = case.policy.frequency.per_product_seconds
    for kept in reversed(case.state.history.since(case.now - rest)):
        if kept.is_entry and kept.product == case.signal.product:
            return elapsed(kept.at, case.now, rest)
    return elapsed(None, case.now, rest)


def messages_per_second_are_few(case: Case) -> Finding:
    """Approvals of any purpose within a second."""
    recent = case.state.history.approvals_since(case.now - _SECOND)
    return below(recent, case.policy.frequency.messages_per_second)


def messages_per_minute_are_few(case: Case) -> Finding:
    """Approvals of any purpose within a minute."""
    recent = case.state.history.approvals_since(case.now - _MINUTE)
    return below(recent, case.policy.frequency.messages_per_minute)


def losses_in_a_row_have_passed(case: Case) -> Finding:
    """After too many losses in a row entries rest."""
    cooldowns = case.policy.cooldowns
    count, last = case.state.history.losses_in_a_row()
    is_resting = count >= cooldowns.consecutive_losses
    return elapsed(last if is_resting else None, case.now, cooldowns.consecutive_losses_seconds)


def product_has_cooled_down(case: Case) -> Finding:
    """After a loss, a stop or a win the product rests."""
    closing = case.state.history.last_closing(case.signal.product)
    cooldowns = case.policy.cooldowns
    if closing is None:
        return elapsed(None, case.now, cooldowns.after_loss_seconds)
    if closing.is_stop:
        return elapsed(closing.at, case.now, cooldowns.after_stop_seconds)
    rest = cooldowns.after_loss_seconds if closing.pnl < 0 else cooldowns.after_win_seconds
    return elapsed(closing.at, case.now, rest)


def order_is_not_repeating(case: Case) -> Finding:
    """Require that the same strategy does not do the same thing over and over."""
    repeats = case.policy.repeats
    alike = case.state.history.of_kind(kind_of(case.signal))
    return below(alike.count_since(case.now - repeats.window_seconds), repeats.same_orders)


def window_is_open(case: Case) -> Finding:
    """Require that the profile trades on this weekday at this time, UTC."""
    window = case.policy.window
    if case.now.isoweekday() not in window.weekdays:
        return False, str(case.now), "weekdays"
    start, end, at = window.from_utc, window.to_utc, case.now.time()
    is_open = start == end or (start <= at < end if start < end else at >= start or at < end)
    return YES if is_open else (False, at.isoformat(), f"{start.isoformat()}-{end.isoformat()}")
