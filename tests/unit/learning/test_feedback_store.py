"""The store keeps every row exactly once and exactly as it came, whatever is redelivered or interrupted (SPEC PS7)."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import orjson
import pytest

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.learning import commands
from gpt_trader.learning.adapters.compaction import Compacted, compact
from gpt_trader.learning.adapters.segments import WriteAhead, read_written, waiting_rows, written
from gpt_trader.learning.adapters.tables import opened, unresolved_denials
from gpt_trader.learning.domain.records import Kind, Place, Row, decision_row, fill_row, order_row
from gpt_trader.learning.ports import CORRUPT_EXIT, StoreCorrupt, StoreUnavailable
from gpt_trader.learning.queries import closed_trades, guard_report, strategy_statistics

ARow = Callable[..., Row]


@pytest.fixture
def rows(
    a_fill: Callable[..., Fill], a_decision: Callable[..., Decision], place: Callable[[int], Place]
) -> SimpleNamespace:
    def fill(number: int, side: str, quantity: str, price: str, **fields: object) -> Row:
        message = a_fill(number, side, quantity, price, **fields)
        return fill_row(message, message.encode().decode(), place(number))

    def decision(number: int, **fields: object) -> Row:
        message = a_decision(number, **fields)
        return decision_row(message, message.encode().decode(), place(number))

    return SimpleNamespace(fill=fill, decision=decision)


@pytest.fixture
def ahead(tmp_path: Path) -> Iterator[WriteAhead]:
    with closing(WriteAhead.open(tmp_path)) as ahead:
        yield ahead


def ids(store_dir: Path, kind: Kind) -> list[str]:
    with opened(store_dir) as tables:
        return [row_id for (row_id,) in tables.execute(f"FROM {kind} SELECT row_id ORDER BY sequence").fetchall()]


def seal_and_compact(ahead: WriteAhead, store_dir: Path) -> Compacted:
    ahead.seal()
    return compact(store_dir, with_trades=True)


def test_a_row_is_readable_before_and_after_it_is_merged(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    ahead.append([rows.fill(1, "buy", "1", "100")])
    before = ids(tmp_path, Kind.FILL)

    result = seal_and_compact(ahead, tmp_path)
    ahead.append([rows.fill(2, "buy", "1", "100")])

    assert result == Compacted(segments=1, rows=1, trades=0)
    assert before == ["fill-1"]
    assert ids(tmp_path, Kind.FILL) == ["fill-1", "fill-2"]
    assert [row.row_id for row in waiting_rows(tmp_path)] == ["fill-2"]
    assert [path.name for path in (tmp_path / "fills").iterdir()] == ["2025-03-01.parquet"]


def test_a_redelivery_adds_nothing_within_a_batch_or_across_batches(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    fill = rows.fill(1, "buy", "1", "100")
    ahead.append([fill])
    ahead.append([fill])
    seal_and_compact(ahead, tmp_path)
    ahead.append([fill])

    waiting = ids(tmp_path, Kind.FILL)
    again = seal_and_compact(ahead, tmp_path)

    assert waiting == ["fill-1"]
    assert again.rows == 0
    assert ids(tmp_path, Kind.FILL) == ["fill-1"]


def test_what_was_recorded_first_stays(ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace) -> None:
    ahead.append([rows.fill(1, "buy", "1", "100")])
    ahead.append([rows.fill(1, "buy", "1", "999")])
    seal_and_compact(ahead, tmp_path)
    ahead.append([rows.fill(1, "buy", "1", "998")])

    with opened(tmp_path) as tables:
        before = tables.execute("FROM fills SELECT payload->>'price'").fetchall()
    seal_and_compact(ahead, tmp_path)
    with opened(tmp_path) as tables:
        after = tables.execute("FROM fills SELECT payload->>'price'").fetchall()

    assert before == after == [("100",)]


def test_merging_a_segment_again_after_a_crash_changes_nothing(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    ahead.append([rows.fill(1, "buy", "1", "100"), rows.fill(2, "sell", "1", "110")])
    ahead.seal()
    (segment,) = (tmp_path / "wal").glob("*.jsonl")
    shutil.copy(segment, tmp_path / "kept")
    compact(tmp_path, with_trades=True)
    shutil.copy(tmp_path / "kept", segment)

    result = compact(tmp_path, with_trades=True)

    assert result == Compacted(segments=1, rows=0, trades=0)
    assert len(closed_trades(tmp_path)) == 1


def test_amounts_and_payloads_come_back_to_the_last_digit(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    ahead.append([rows.fill(1, "buy", "0.123456789012345678", "98765.43210", fee="0.100")])
    seal_and_compact(ahead, tmp_path)

    with opened(tmp_path) as tables:
        found = tables.execute("SELECT payload, (payload->>'price')::DECIMAL(38, 18) FROM fills").fetchone()

    assert found is not None
    fill = Fill.decode(found[0])
    assert [str(amount) for amount in (fill.quantity, fill.price, fill.fee)] == [
        "0.123456789012345678",
        "98765.43210",
        "0.100",
    ]
    assert found[1] == Decimal("98765.4321")


def test_trades_are_folded_on_across_compactions_and_read_at_once(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    ahead.append(
        [rows.decision(1, mark="100", reference_price="100"), rows.fill(1, "buy", "1", "101", intent_id="intent-1")]
    )
    seal_and_compact(ahead, tmp_path)
    ahead.append([rows.decision(2, action="exit", side="sell", mark="110", reason="target")])
    ahead.append([rows.fill(3, "sell", "1", "109", intent_id="intent-2"), rows.fill(4, "buy", "1", "100")])

    at_once = closed_trades(tmp_path)
    merged = seal_and_compact(ahead, tmp_path)
    ahead.append([rows.fill(5, "sell", "1", "90")])

    (trade,) = at_once
    assert trade.attribution is not None
    assert (trade.attribution.market_part, trade.attribution.entry_slippage) == (Decimal(10), Decimal(1))
    assert (trade.entry_reason, trade.exit_reason) == ("crossed", "target")
    assert merged.trades == 1
    assert [one.net for one in closed_trades(tmp_path)] == [Decimal(8), Decimal(-10)]
    assert strategy_statistics(tmp_path)[0].net == Decimal(-2)


def test_a_trade_is_recorded_only_when_nothing_earlier_can_come(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    late = rows.fill(1, "buy", "2", "90")
    ahead.append([rows.fill(2, "buy", "1", "100"), rows.fill(3, "sell", "1", "110")])
    ahead.seal()

    unsettled = compact(tmp_path, with_trades=False)
    ahead.append([late])

    assert unsettled.trades == 0
    assert closed_trades(tmp_path) == ()


def test_a_trade_waits_for_the_decisions_behind_its_fills(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    ahead.append([rows.fill(1, "buy", "1", "100", intent_id="intent-1"), rows.fill(2, "sell", "1", "110")])
    early = seal_and_compact(ahead, tmp_path)
    provisional = closed_trades(tmp_path)
    ahead.append([rows.decision(1, mark="100")])

    final = seal_and_compact(ahead, tmp_path)

    assert (early.trades, final.trades) == (0, 1)
    assert [trade.entry_reason for trade in (*provisional, *closed_trades(tmp_path))] == [None, "crossed"]


def test_a_recreated_stream_does_not_hide_later_fills(ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace) -> None:
    ahead.append([rows.fill(8, "buy", "1", "100"), rows.fill(9, "sell", "1", "110")])
    seal_and_compact(ahead, tmp_path)
    later = [rows.fill(20, "buy", "1", "100"), rows.fill(21, "sell", "1", "120")]

    ahead.append([_renumbered(row, number) for number, row in enumerate(later, 1)])

    assert [trade.net for trade in closed_trades(tmp_path)] == [Decimal(10), Decimal(20)]


def _renumbered(row: Row, sequence: int) -> Row:
    fields = written(row) | {"sequence": sequence}
    return read_written(row.kind, orjson.dumps(fields))


def test_each_step_of_an_order_is_a_row_of_its_own(
    ahead: WriteAhead, tmp_path: Path, place: Callable[[int], Place], a_fill: Callable[..., Fill]
) -> None:
    fill = a_fill(1, "buy", "1", "100", intent_id="intent-1")
    shared = fill.model_dump(include={"client_order_id", "venue_order_id", "strategy", "product", "side", "quantity"})
    event = OrderEvent.model_validate(
        shared
        | {
            "revision": 1,
            "intent_id": "intent-1",
            "purpose": "entry",
            "limit_price": "100",
            "status": "filled",
            "filled_quantity": "1",
            "average_price": "100",
            "fees": "0",
            "reason": "",
            "occurred_at": fill.occurred_at,
            "reported_at": fill.reported_at,
        }
    )
    later = event.model_copy(update={"revision": 2})

    ahead.append([order_row(one, one.encode().decode(), place(one.revision)) for one in (event, later, later)])
    seal_and_compact(ahead, tmp_path)

    with opened(tmp_path) as tables:
        kept = tables.execute("SELECT payload FROM orders ORDER BY sequence").fetchall()
    assert [OrderEvent.decode(payload) for (payload,) in kept] == [event, later]


def test_denied_entries_stay_unresolved_until_their_counterfactual_is_recorded(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    ahead.append([rows.decision(1, failed=("spread",)), rows.decision(2), rows.decision(3, failed=("cooldown",))])

    with opened(tmp_path) as tables:
        unresolved = unresolved_denials(tables)

    assert [row.row_id for row in unresolved] == ["decision-1", "decision-3"]
    assert [read_written(Kind.DECISION, orjson.dumps(written(row))) for row in unresolved] == list(unresolved)
    assert [report.check for report in guard_report(tmp_path)] == ["cooldown", "spread"]


def test_a_torn_last_line_is_cut_and_the_rows_before_it_stay(tmp_path: Path, rows: SimpleNamespace) -> None:
    with closing(WriteAhead.open(tmp_path)) as ahead:
        ahead.append([rows.fill(1, "buy", "1", "100")])
    (segment,) = (tmp_path / "wal").glob("*.open")
    segment.write_bytes(segment.read_bytes() + b'{"kind":"fills","pay')

    read_live = ids(tmp_path, Kind.FILL)
    with closing(WriteAhead.open(tmp_path)) as ahead:
        ahead.append([rows.fill(2, "buy", "1", "100")])

    assert read_live == ["fill-1"]
    assert ids(tmp_path, Kind.FILL) == ["fill-1", "fill-2"]


def test_a_changed_segment_is_named_with_its_line(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead.append([rows.fill(1, "buy", "1", "100")])
    ahead.append([rows.fill(2, "buy", "1", "100")])
    ahead.seal()
    (segment,) = (tmp_path / "wal").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"fill-1", b"fill-7"))

    with pytest.raises(StoreCorrupt, match=rf"{segment.name} line 1"):
        compact(tmp_path, with_trades=True)
    code = commands.run(["report", "--store-dir", str(tmp_path)])

    assert code == CORRUPT_EXIT
    assert segment.name in capsys.readouterr().err
    assert segment.exists()


def test_a_damaged_parquet_file_is_named_and_nothing_is_lost(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead.append([rows.fill(1, "buy", "1", "100")])
    seal_and_compact(ahead, tmp_path)
    damaged = tmp_path / "fills" / "2025-03-01.parquet"
    content = bytearray(damaged.read_bytes())
    content[4:60] = bytes(56)
    damaged.write_bytes(content)
    ahead.append([rows.fill(2, "buy", "1", "100")])

    with pytest.raises(StoreCorrupt, match=damaged.name):
        seal_and_compact(ahead, tmp_path)
    code = commands.run(["report", "--store-dir", str(tmp_path)])

    assert code == CORRUPT_EXIT
    assert str(damaged) in capsys.readouterr().err
    assert [row.row_id for row in waiting_rows(tmp_path)] == ["fill-2"]


def test_a_store_has_one_writer(ahead: WriteAhead, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="held by another process"):
        WriteAhead.open(tmp_path)

    assert ahead.rows == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "store"
    occupied.write_text("a file where a folder should be")

    with pytest.raises(StoreUnavailable, match=str(occupied)):
        WriteAhead.open(occupied)


def test_a_full_disk_refuses_the_row_and_takes_it_when_there_is_room(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace
) -> None:
    folder = tmp_path / "wal"
    shutil.move(folder, tmp_path / "away")
    folder.write_text("")

    with pytest.raises(StoreUnavailable, match=str(folder)):
        ahead.append([rows.fill(1, "buy", "1", "100")])
    folder.unlink()
    shutil.move(tmp_path / "away", folder)
    ahead.append([rows.fill(1, "buy", "1", "100")])

    assert ids(tmp_path, Kind.FILL) == ["fill-1"]


def test_the_report_prints_tables_and_json(
    ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead.append(
        [rows.decision(1, failed=("spread",)), rows.fill(1, "buy", "1", "100"), rows.fill(2, "sell", "1", "110")]
    )

    tables_code = commands.run(["report", "--store-dir", str(tmp_path)])
    tables = capsys.readouterr().out
    json_code = commands.run(["report", "--json", "--store-dir", str(tmp_path)])
    report = orjson.loads(capsys.readouterr().out)

    assert (tables_code, json_code) == (0, 0)
    assert "trend" in tables
    assert "spread" in tables
    assert report["strategies"][0]["net"] == "10"
    assert report["guards"][0]["check"] == "spread"
    assert Decimal(report["trades"][0]["net"]) == Decimal(10)


def test_plain_duckdb_reads_the_files(ahead: WriteAhead, tmp_path: Path, rows: SimpleNamespace) -> None:
    ahead.append([rows.fill(1, "buy", "1", "100"), rows.fill(2, "sell", "1", "110")])
    seal_and_compact(ahead, tmp_path)

    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT sum((payload->>'net')::DECIMAL(38, 12)) FROM read_parquet(?)",
            [f"{tmp_path}/closed_trades/*.parquet"],
        ).fetchone()

    assert found == (Decimal(10),)
