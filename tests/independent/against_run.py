"""Holds a running system against the venue's books: `python tests/independent/against_run.py RUN_DIR [QUOTE]`."""

import asyncio
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from recomputation import (
    Comparison,
    VenueBooks,
    books_of,
    compare_accounts,
    compare_frequency,
    instant,
    strange_marks,
)

from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import connect

_LATE = timedelta(seconds=1)
"""Real time from an approval to its order at the venue, at most."""
_STALE = timedelta(seconds=30)
"""Real time for which a price may be used; generous, for a run that is faster than time has few candles."""
_SPREAD = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the comparison of a run shows."""

    books: VenueBooks
    accounts: Comparison
    frequency: Comparison
    strange: list[str]

    @property
    def differences(self) -> list[str]:
        return [*self.accounts.differences, *self.frequency.differences, *self.strange]

    def report(self) -> Iterator[str]:
        accounts, frequency = self.accounts, self.frequency
        yield f"fills {len(self.books.executions)}, orders {len(self.books.orders)} in the venue's books"
        yield (
            f"account snapshots compared {accounts.compared} (exposure, equity, fees, P&L, day's P&L), "
            f"{accounts.skipped} skipped with a fill on its way; largest difference {accounts.largest}"
        )
        yield f"highest exposure {accounts.highest:.2f}, worst day's P&L {accounts.worst_day:.2f}"
        yield (
            f"counts of decisions compared {frequency.compared}, {frequency.skipped} with an order at the edge; "
            f"most orders in a window {frequency.highest}"
        )
        yield f"marks outside the venue's own prices: {len(self.strange)}"
        yield f"differences: {len(self.differences)}"
        yield from self.differences[:20]


def against(run_dir: Path, quote: str = "USD") -> Found:
    """Read the bus and the venue's books of a running system, and compare."""
    manifest = orjson.loads((run_dir / "stack.json").read_bytes())
    read = asyncio.run(_read(run_dir, manifest["nats_url"]))
    with urllib.request.urlopen(f"{manifest['exchange_admin']}/books", timeout=30) as answer:
        books = books_of(orjson.loads(answer.read()), quote, frozenset(_further(read)))
    rate = Decimal(str(manifest["clock"]["clock_rate"]))
    known = {client_order_id for _, client_order_id in books.orders}.union(books.stops, books.further)
    unsent = [at for at, client_order_id in _approved(read["INTENTS"]) if client_order_id not in known]
    return Found(
        books=books,
        accounts=compare_accounts(books, read["STATE"], _journal(Path(manifest["gate_journal"]))),
        frequency=compare_frequency(books, read["DECISIONS"], unsent, _LATE * float(rate)),
        strange=strange_marks(read["STATE"], read["MARKET"], _STALE * float(rate), _SPREAD),
    )


async def _read(run_dir: Path, url: str) -> dict[str, list[Any]]:
    kept: dict[str, list[Any]] = {}
    patterns = {"STATE": "account", "DECISIONS": ">", "INTENTS": "intents.approved.>", "MARKET": "candles.>"}
    async with connect(url, run_dir / Zone.OPERATOR / f"{Zone.OPERATOR}.nk", Zone.OPERATOR) as bus:
        for stream, pattern in patterns.items():
            history = bus.history(stream, subject_filter=pattern)
            kept[stream] = [orjson.loads(received.payload) async for received in history]
    return kept


def _approved(envelopes: list[Any]) -> Iterator[tuple[datetime, str]]:
    """Name each trade that was approved; a stop that never came to rest was none either."""
    for envelope in envelopes:
        intent = orjson.loads(envelope["payload"])
        if intent["stop_price"] is None:
            yield instant(intent["approved_at"]), intent["client_order_id"]


def _further(read: dict[str, list[Any]]) -> Iterator[str]:
    """Name the orders of further steps: which orders are of one wish only the decisions know."""
    steps = {one["decision_id"] for one in read["DECISIONS"] if (one["step"] or 1) > 1}
    for envelope in read["INTENTS"]:
        intent = orjson.loads(envelope["payload"])
        if intent["decision_id"] in steps:
            yield intent["client_order_id"]


def _journal(path: Path) -> Iterator[Any]:
    with path.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)["payload"]


def main() -> None:
    """Print the comparison; exit 1 on any difference."""
    found = against(Path(sys.argv[1]), *sys.argv[2:3])
    sys.stdout.write("\n".join(found.report()) + "\n")
    raise SystemExit(1 if found.differences else 0)


if __name__ == "__main__":
    main()
