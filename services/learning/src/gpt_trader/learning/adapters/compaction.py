"""Segments into Parquet, then trades from fills: the heavy part, run in a process of its own (`learning compact`)."""

from dataclasses import dataclass
from pathlib import Path

from gpt_trader.learning.adapters.parquet import merge
from gpt_trader.learning.adapters.segments import locked, sealed_segments, segment_rows, segments_folder
from gpt_trader.learning.adapters.tables import final_trades, opened
from gpt_trader.learning.ports import StoreUnavailable
from gpt_trader.runtime.journal import sync_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What one run added to the Parquet files."""

    segments: int
    rows: int
    trades: int


def compact(store_dir: Path, *, with_trades: bool) -> Compacted:
    """Merge sealed segments, and record closed trades if no earlier fill can still come.

    Interrupted anywhere, the next run finishes it.
    """
    try:
        lock = locked(segments_folder(store_dir) / "compaction.lock")
    except OSError as error:
        raise StoreUnavailable(str(error)) from error
    with lock:
        segments = sealed_segments(store_dir)
        rows = merge(store_dir, [row for path in segments for row in segment_rows(path)])
        for path in segments:
            path.unlink()
        sync_folder(segments_folder(store_dir))
        trades = _record_trades(store_dir) if with_trades else 0
    return Compacted(segments=len(segments), rows=rows, trades=trades)


def _record_trades(store_dir: Path) -> int:
    with opened(store_dir) as tables:
        return merge(store_dir, final_trades(tables))
