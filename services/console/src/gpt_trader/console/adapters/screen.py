"""The picture drawn for a terminal."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gpt_trader.console.domain.picture import Picture
from gpt_trader.console.domain.rebuild import Line
from gpt_trader.contracts.account import AccountSnapshot, Position, TradingState, TradingStatus
from gpt_trader.contracts.decisions import Decision, Verdict
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.orders import OrderEvent

_STATUS_WORDS = {
    TradingStatus.ACTIVE: ("ACTIVE", "bold green"),
    TradingStatus.REDUCE_ONLY: ("REDUCE-ONLY: only what shrinks a position may be sent", "bold yellow"),
    TradingStatus.PAUSED: ("PAUSED: entries blocked", "bold yellow"),
    TradingStatus.HALTED: ("HALTED: nothing but an operator's flatten is sent", "bold red"),
}


def money(value: Decimal) -> str:
    """Format an amount of quote currency to the cent."""
    return f"{value:,.2f}"


def plain(value: Decimal) -> str:
    """Format a quantity or price without exponent and trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def clock(moment: datetime) -> str:
    """Format a trading time to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", expand=True, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="left", no_wrap=True, overflow="ellipsis")
    return table


def status_line(state: TradingState | None) -> Text:
    """Say in one line whether trading goes on, and why not."""
    if state is None:
        return Text("no word from the risk gate yet", style="bold red")
    words, style = _STATUS_WORDS[state.status]
    subjects = ((cause.code, cause.product or cause.strategy) for cause in state.causes)
    causes = "; ".join(f"{code}{f' ({subject})' if subject else ''}" for code, subject in subjects)
    return Text(f"{words}{f' — {causes}' if causes else ''}", style=style)


def prices(ticks: Iterable[Tick]) -> Table:
    """Draw best bid and ask of each product."""
    table = _table("Prices", "product", "bid", "ask", "last", "at")
    for tick in sorted(ticks, key=lambda tick: tick.product):
        row = (tick.product, plain(tick.bid), plain(tick.ask), plain(tick.last_price), clock(tick.occurred_at))
        table.add_row(*row)
    return table


def positions(held: Iterable[Position]) -> Table:
    """Draw what is held and what it is worth."""
    table = _table("Positions", "product", "quantity", "entry", "mark", "unrealized", "realized", "fees", "strategy")
    for position in held:
        mark = plain(position.mark) if position.mark is not None else "unknown"
        figures = (money(position.unrealized_pnl), money(position.realized_pnl), money(position.fees))
        entry = plain(round(position.average_entry_price, 8))
        table.add_row(position.product, plain(position.quantity), entry, mark, *figures, position.strategy)
    return table


def rebuilt(lines: Iterable[Line]) -> Table:
    """Draw what the gate, the executions and the venue each say is there."""
    table = _table("Rebuilt", "what", "gate", "from the fills", "venue", "")
    for line in lines:
        word = "" if line.is_even else "differs"
        table.add_row(line.name, plain(line.gate), plain(line.rebuilt), plain(line.venue), word)
    return table


def decisions(judged: Iterable[Decision]) -> Table:
    """Draw verdicts with every reason for a denial."""
    table = _table("Decisions", "at", "product", "strategy", "request", "verdict", "why")
    table.columns[-1].no_wrap = False
    for decision in judged:
        style = "green" if decision.verdict is Verdict.APPROVED else "red"
        signal = decision.signal
        table.add_row(
            clock(decision.decided_at), decision.product, signal.strategy, f"{signal.action} {signal.side}",
            Text(decision.verdict, style=style), why(decision),
        )  # fmt: skip
    return table


def why(decision: Decision) -> str:
    """Give the reason of a verdict: the signal's for an approval, each failed check for a denial."""
    if decision.verdict is Verdict.APPROVED and decision.limit_price is not None:
        return f"{plain(decision.quantity)} @ {plain(decision.limit_price)}: {decision.signal.reason}"
    return "; ".join(f"{check.check} {check.rule} ({check.value} / {check.limit})" for check in decision.failures)


def orders(events: Iterable[OrderEvent]) -> Table:
    """Draw the latest step of each order."""
    table = _table("Orders", "at", "product", "side", "quantity", "limit", "status", "filled", "average", "reason")
    for event in events:
        average = plain(round(event.average_price, 8)) if event.average_price is not None else ""
        figures = (plain(event.quantity), plain(event.limit_price), event.status, plain(event.filled_quantity), average)
        table.add_row(clock(event.occurred_at), event.product, event.side, *figures, event.reason)
    return table


def account_line(account: AccountSnapshot | None) -> Text:
    """Say in one line what the account is worth and what the day made."""
    if account is None:
        return Text("no account snapshot yet")
    return Text(
        f"equity {money(account.equity)}   day {money(account.day_pnl)}   realized {money(account.realized_pnl)}   "
        f"unrealized {money(account.unrealized_pnl)}   fees {money(account.fees)}   exposure {money(account.exposure)}"
    )


def dashboard(picture: Picture) -> RenderableType:
    """Draw everything at once, for the live view."""
    recent_orders = sorted(picture.orders.values(), key=lambda event: event.reported_at)[-6:]
    counts = "   ".join(f"{name} {count}" for name, count in sorted(picture.tally.items()))
    held = [position for position in picture.account.positions if position.quantity] if picture.account else []
    return Group(
        Panel(Group(status_line(picture.trading), account_line(picture.account), Text(counts, style="dim"))),
        prices(picture.ticks.values()),
        positions(held),
        decisions(list(picture.decisions)[-8:]),
        orders(recent_orders),
        Text("Ctrl-C stops everything. Emergency stop from another terminal: gpt-trader kill", style="dim"),
    )
