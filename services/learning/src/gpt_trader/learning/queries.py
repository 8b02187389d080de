"""What the report asks of the store; read-only, and safe while the service writes."""

from pathlib import Path

from gpt_trader.contracts.decisions import Decision
from gpt_trader.learning.adapters.tables import opened, unfolded_trades
from gpt_trader.learning.domain.attribution import ClosedTrade
from gpt_trader.learning.domain.counterfactuals import Counterfactual
from gpt_trader.learning.domain.guards import DeniedEntry, GuardReport, guard_reports
from gpt_trader.learning.domain.statistics import Statistics, statistics_by_strategy

_DENIED_ENTRIES = """
    SELECT decisions.payload, counterfactuals.payload FROM decisions
    LEFT JOIN counterfactuals ON counterfactuals.row_id = decisions.row_id
    WHERE decisions.payload->>'verdict' = 'denied' AND decisions.payload->>'$.signal.action' = 'enter'
    ORDER BY decisions.stored_at, decisions.sequence
"""


def closed_trades(store_dir: Path) -> tuple[ClosedTrade, ...]:
    """Return every closed trade in the order of closing, including those of fills that came a moment ago."""
    with opened(store_dir) as tables:
        recorded = tables.execute("SELECT payload FROM closed_trades").fetchall()
        payloads = (*(payload for (payload,) in recorded), *(row.payload for row in unfolded_trades(tables)))
        trades = {trade.trade_id: trade for trade in map(ClosedTrade.decode, payloads)}
    return tuple(sorted(trades.values(), key=lambda trade: (trade.closed_at, trade.trade_id)))


def strategy_statistics(store_dir: Path) -> tuple[Statistics, ...]:
    """Summarize the closed trades of each strategy."""
    return statistics_by_strategy(closed_trades(store_dir))


def guard_report(store_dir: Path) -> tuple[GuardReport, ...]:
    """Return, per check, how many entries it denied and what that saved or cost."""
    with opened(store_dir) as tables:
        rows = tables.execute(_DENIED_ENTRIES).fetchall()
    return guard_reports(_denied_entry(decision, result) for decision, result in rows)


def _denied_entry(decision: str, result: str | None) -> DeniedEntry:
    return DeniedEntry(
        failed=tuple(check.check for check in Decision.decode(decision).failures),
        counterfactual=Counterfactual.decode(result) if result else None,
    )
