"""Commands beside the service: `report` for people, `compact` and `unresolved` for the service's own child process."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

from gpt_trader.contracts.message import canonical
from gpt_trader.learning.adapters.compaction import compact
from gpt_trader.learning.adapters.segments import written
from gpt_trader.learning.adapters.tables import opened, unresolved_denials
from gpt_trader.learning.domain.guards import GuardReport
from gpt_trader.learning.domain.statistics import Statistics
from gpt_trader.learning.ports import CORRUPT_EXIT, StoreCorrupt, StoreError
from gpt_trader.learning.queries import closed_trades, guard_report, strategy_statistics

FAILED = 1


def run(argv: Sequence[str]) -> int:
    """Run one command on a store and return the exit code; errors name the file on standard error."""
    parser = argparse.ArgumentParser(prog="learning")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("report", "closed trades per strategy, and what each guard saved or cost"),
        ("compact", "merge what was recorded into Parquet (the service does this by itself)"),
        ("unresolved", "denied entries whose counterfactual has not ended, one JSON record per line"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--store-dir", type=Path, required=True, metavar="DIR", help="the feedback store")
        if name == "compact":
            command.add_argument("--with-trades", action="store_true", help="no earlier fill can still come")
        if name == "report":
            command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(argv)
    try:
        sys.stdout.write(_output(options))
    except StoreError as error:
        sys.stderr.write(f"learning {options.command}: {error}\n")
        return CORRUPT_EXIT if isinstance(error, StoreCorrupt) else FAILED
    return 0


def _output(options: argparse.Namespace) -> str:
    store_dir: Path = options.store_dir
    if not store_dir.is_dir():
        raise StoreError(f"store_dir {store_dir}: no such folder")
    if options.command == "compact":
        return _line(asdict(compact(store_dir, with_trades=options.with_trades)))
    if options.command == "unresolved":
        with opened(store_dir) as tables:
            return "".join(_line(written(row)) for row in unresolved_denials(tables))
    return _as_json(store_dir) if options.json else _as_tables(store_dir)


def _line(value: object) -> str:
    return canonical(value).decode() + "\n"


def _as_json(store_dir: Path) -> str:
    return _line(
        {
            "strategies": [asdict(one) for one in strategy_statistics(store_dir)],
            "guards": [asdict(one) | {"balance": one.balance} for one in guard_report(store_dir)],
            "trades": list(closed_trades(store_dir)),
        }
    )


_STRATEGY_COLUMNS: dict[str, Callable[[Statistics], object]] = {
    "strategy": lambda one: one.strategy,
    "trades": lambda one: one.trades,
    "win rate": lambda one: one.win_rate,
    "average win": lambda one: one.average_win,
    "average loss": lambda one: one.average_loss,
    "profit factor": lambda one: one.profit_factor,
    "net": lambda one: one.net,
    "fees": lambda one: one.fees,
}
_GUARD_COLUMNS: dict[str, Callable[[GuardReport], object]] = {
    "check": lambda one: one.check,
    "denials": lambda one: one.denials,
    "alone": lambda one: one.sole_denials,
    "ended": lambda one: one.followed,
    "unsized": lambda one: one.unsized,
    "saved": lambda one: one.saved,
    "cost": lambda one: one.cost,
    "balance": lambda one: one.balance,
    "net bps": lambda one: one.net_bps,
}


def _as_tables(store_dir: Path) -> str:
    strategies = [[read(one) for read in _STRATEGY_COLUMNS.values()] for one in strategy_statistics(store_dir)]
    guards = [[read(one) for read in _GUARD_COLUMNS.values()] for one in guard_report(store_dir)]
    return (
        f"Closed trades, net of fees\n{_table(list(_STRATEGY_COLUMNS), strategies)}\n"
        "Denied entries per check: saved = losses prevented, cost = gains prevented; a shared denial counts for each\n"
        f"{_table(list(_GUARD_COLUMNS), guards)}"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, Decimal) else str(value)


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
