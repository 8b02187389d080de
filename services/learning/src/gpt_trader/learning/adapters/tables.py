"""DuckDB over the whole store: one view per table, each row once, whether merged into Parquet yet or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import duckdb

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import Fill
from gpt_trader.learning.adapters.parquet import day_files, load, moment, raise_if_damaged, rows_of
from gpt_trader.learning.adapters.segments import waiting_rows
from gpt_trader.learning.domain.attribution import ClosedTrade, Execution, cause_of
from gpt_trader.learning.domain.records import Kind, Place, Row
from gpt_trader.learning.domain.trades import Book, fold
from gpt_trader.learning.ports import StoreUnavailable

_UNFOLDED_FILLS = """
    WITH ended AS (
        SELECT strategy, product, max(row(stored_at, sequence)) AS place FROM closed_trades GROUP BY ALL
    ), causes AS (
        SELECT payload->>'intent_id' AS intent_id, any_value(payload) AS payload FROM decisions
        WHERE payload->>'verdict' = 'approved' GROUP BY ALL
    )
    SELECT fills.payload, epoch_us(fills.stored_at), fills.sequence, causes.payload
    FROM fills
    LEFT JOIN ended ON ended.strategy = fills.strategy AND ended.product = fills.product
    LEFT JOIN causes ON causes.intent_id = fills.payload->>'intent_id'
    WHERE ended.place IS NULL OR row(fills.stored_at, fills.sequence) > ended.place
    ORDER BY fills.stored_at, fills.sequence
"""

_UNRESOLVED = """
    SELECT row_id, product, strategy, epoch_us(occurred_at), epoch_us(stored_at), sequence, payload FROM decisions
    WHERE payload->>'verdict' = 'denied' AND payload->>'$.signal.action' = 'enter'
    AND row_id NOT IN (SELECT row_id FROM counterfactuals)
    ORDER BY stored_at, sequence
"""


@contextmanager
def opened(store_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a snapshot of the store to query; a file that cannot be read raises StoreCorrupt naming it."""
    waiting = waiting_rows(store_dir)
    with duckdb.connect(":memory:") as connection:
        try:
            for kind in Kind:
                table = f"waiting_{kind}"
                load(connection, table, [row for row in waiting if row.kind is kind])
                connection.execute(f"CREATE VIEW {kind} AS {rows_of(day_files(store_dir, kind), table)}")
            yield connection
        except duckdb.Error as error:
            raise_if_damaged(store_dir)
            raise StoreUnavailable(f"{store_dir} cannot be queried: {error}") from error


def unfolded_trades(connection: duckdb.DuckDBPyConnection) -> tuple[Row, ...]:
    """Fold the fills since each book's last recorded trade; what is still on its way may change these trades."""
    return tuple(row for executions in _unfolded(connection) for row in _trades(executions))


def final_trades(connection: duckdb.DuckDBPyConnection) -> tuple[Row, ...]:
    """Return the unfolded trades up to the first fill of each book whose decision has not been recorded yet."""
    return tuple(
        row for executions in _unfolded(connection) for row in _trades(tuple(takewhile(_is_explained, executions)))
    )


def _is_explained(execution: Execution) -> bool:
    return execution.cause is not None or execution.fill.intent_id is None


def _unfolded(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[Execution, ...], ...]:
    by_book: dict[tuple[str, str], list[Execution]] = {}
    for payload, stored_at, sequence, decision in connection.execute(_UNFOLDED_FILLS).fetchall():
        fill = Fill.decode(payload)
        cause = cause_of(Decision.decode(decision)) if decision else None
        execution = Execution(fill=fill, cause=cause, place=_place(stored_at, sequence))
        by_book.setdefault((fill.strategy, fill.product), []).append(execution)
    return tuple(map(tuple, by_book.values()))


def _trades(executions: tuple[Execution, ...]) -> tuple[Row, ...]:
    places = {str(execution.fill.fill_id): execution.place for execution in executions}
    _, trades = fold(Book(), executions)
    return tuple(_trade_row(trade, places[trade.closing_fill_id]) for trade in trades)


def unresolved_denials(connection: duckdb.DuckDBPyConnection) -> tuple[Row, ...]:
    """Find the denied entries that no counterfactual was recorded for."""
    return tuple(
        Row(
            kind=Kind.DECISION,
            row_id=row_id,
            product=product,
            strategy=strategy,
            occurred_at=moment(occurred_at),
            place=_place(stored_at, sequence),
            payload=payload,
        )
        for row_id, product, strategy, occurred_at, stored_at, sequence, payload in connection.execute(
            _UNRESOLVED
        ).fetchall()
    )


def _trade_row(trade: ClosedTrade, place: Place) -> Row:
    return Row(
        kind=Kind.CLOSED_TRADE,
        row_id=trade.trade_id,
        product=trade.product,
        strategy=trade.strategy,
        occurred_at=trade.closed_at,
        place=place,
        payload=trade.encode().decode(),
    )


def _place(stored_at: int, sequence: int) -> Place:
    return Place(stored_at=moment(stored_at), sequence=sequence)
