"""The Parquet part of the store: one file per table and UTC day, replaced as a whole by a longer one."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

import duckdb

from gpt_trader.learning.domain.records import Kind, Row
from gpt_trader.learning.ports import StoreCorrupt, StoreUnavailable
from gpt_trader.runtime.journal import sync_folder

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_INSERT = """
    INSERT INTO {table}
    SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), make_timestamptz(unnest(?::BIGINT[])),
        make_timestamptz(unnest(?::BIGINT[])), unnest(?::BIGINT[]), unnest(?::VARCHAR[])
"""

_ONCE_EACH = """
    SELECT * EXCLUDE is_waiting FROM ({rows})
    QUALIFY row_number() OVER (PARTITION BY row_id ORDER BY is_waiting, stored_at, sequence) = 1
"""


def merge(store_dir: Path, rows: Iterable[Row]) -> int:
    """Add the rows that are not there yet and return how many they were; on disk when this returns."""
    ordered = sorted(rows, key=_file_of)
    return sum(_merge_day(store_dir, kind, day, tuple(group)) for (kind, day), group in groupby(ordered, key=_file_of))


def day_files(store_dir: Path, kind: Kind) -> tuple[Path, ...]:
    """List the files of a table, oldest day first."""
    return tuple(sorted((store_dir / kind).glob("*.parquet")))


def raise_if_damaged(store_dir: Path) -> None:
    """Read every file on its own, for DuckDB does not always name the one at fault; raises StoreCorrupt."""
    for path in (path for kind in Kind for path in day_files(store_dir, kind)):
        with duckdb.connect(":memory:") as connection:
            try:
                connection.execute("SELECT sum(hash(COLUMNS(*))) FROM read_parquet(?)", [str(path)]).fetchall()
            except duckdb.Error as error:
                raise StoreCorrupt(f"{path} is damaged: {error}") from error


def rows_of(files: Sequence[Path], table: str) -> str:
    """Write the query for every row of these files and of a table, each once; what is in a file never changes."""
    quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    merged = f"FROM read_parquet([{quoted}]) SELECT *, false AS is_waiting UNION ALL " if files else ""
    return _ONCE_EACH.format(rows=f"{merged}FROM {table} SELECT *, true AS is_waiting")


def load(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    """Make a table of rows, the first of each id. Amounts stay in `payload` as the message's text, unrounded."""
    connection.execute(
        f"CREATE TABLE {table} (row_id VARCHAR, product VARCHAR, strategy VARCHAR, occurred_at TIMESTAMPTZ, "
        "stored_at TIMESTAMPTZ, sequence BIGINT, payload VARCHAR)"
    )
    rows = tuple({row.row_id: row for row in reversed(rows)}.values())
    columns = [
        [row.row_id for row in rows],
        [row.product for row in rows],
        [row.strategy for row in rows],
        [_microseconds(row.occurred_at) for row in rows],
        [_microseconds(row.place.stored_at) for row in rows],
        [row.place.sequence for row in rows],
        [row.payload for row in rows],
    ]
    connection.execute(_INSERT.format(table=table), columns)


def moment(microseconds: int) -> datetime:
    """Turn the store's microseconds since 1970 into a time."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _file_of(row: Row) -> tuple[Kind, date]:
    return row.kind, row.day


def _merge_day(store_dir: Path, kind: Kind, day: date, rows: tuple[Row, ...]) -> int:
    path = store_dir / kind / f"{day.isoformat()}.parquet"
    files = [path] if path.exists() else []
    with duckdb.connect(":memory:") as connection:
        load(connection, "added", rows)
        connection.execute("CREATE TABLE nothing AS FROM added LIMIT 0")
        try:
            before = _count(connection, rows_of(files, "nothing"))
            connection.execute(f"CREATE TABLE merged AS {rows_of(files, 'added')}")
        except duckdb.Error as error:
            raise StoreCorrupt(f"{path} is damaged: {error}") from error
        after = _count(connection, "FROM merged")
        if after > before:
            _replace(connection, path)
    return after - before


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()  # noqa: S608 - our own queries
    return int(row[0]) if row else 0


def _replace(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    unfinished = path.with_suffix(".unfinished")
    target = str(unfinished).replace("'", "''")
    try:
        path.parent.mkdir(exist_ok=True)
        connection.execute(
            f"COPY (FROM merged ORDER BY stored_at, sequence) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        )
        _sync_file(unfinished)
        unfinished.replace(path)
        sync_folder(path.parent)
        sync_folder(path.parent.parent)
    except (OSError, duckdb.Error) as error:
        raise StoreUnavailable(f"{path} cannot be written: {error}") from error


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
