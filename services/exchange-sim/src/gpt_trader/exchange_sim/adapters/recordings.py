"""Read recorded bars from CSV; one wrong cell refuses the start and names file, line and field."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from math import gcd
from pathlib import Path
from typing import TypeVar

from gpt_trader.exchange_sim.domain.candles import DAY, Candle
from gpt_trader.exchange_sim.domain.products import PRODUCT_ID
from gpt_trader.exchange_sim.domain.replay import QuoteBar, QuoteSide, Recording
from gpt_trader.exchange_sim.ports import CannotStart

Bar = TypeVar("Bar", Candle, QuoteBar)

_TRADE_COLUMNS = ["start", "open", "high", "low", "close", "volume"]
_SIDE_COLUMNS = ("open", "high", "low", "close", "size")
_QUOTE_COLUMNS = ["start", *(f"{side}_{name}" for side in ("bid", "ask") for name in _SIDE_COLUMNS)]


class _Row:
    def __init__(self, path: Path, line: int, cells: dict[str, str]) -> None:
        self.path = path
        self.line = line
        self.cells = cells

    def refused(self, field: str, reason: str) -> CannotStart:
        value = self.cells.get(field, "")
        return CannotStart(f"{self.path}: line {self.line}: field {field!r}: {value!r} {reason}")

    def number(self, field: str) -> Decimal:
        try:
            value = Decimal(self.cells[field])
        except InvalidOperation:
            raise self.refused(field, "is not a number") from None
        if not value.is_finite() or value < 0:
            raise self.refused(field, "is not a finite number of zero or more")
        return value

    def price(self, field: str) -> Decimal:
        value = self.number(field)
        if not value:
            raise self.refused(field, "is not a price above zero")
        return value

    def start(self) -> int:
        text = self.cells["start"]
        if not text.isdecimal() or len(text) > 11:
            raise self.refused("start", "is not a unix time in whole seconds")
        return int(text)

    def side(self, name: str) -> QuoteSide | None:
        fields = [f"{name}_{column}" for column in _SIDE_COLUMNS]
        given = [field for field in fields if self.cells[field]]
        if not given:
            return None
        for field in fields:
            if field not in given:
                raise self.refused(field, f"is empty while other {name} fields are not")
        _check_range(self, {column: self.price(f"{name}_{column}") for column in _SIDE_COLUMNS[:4]}, f"{name}_")
        return QuoteSide(
            open=self.price(f"{name}_open"), close=self.price(f"{name}_close"), quantity=self.number(f"{name}_size")
        )


def load_recordings(paths: Sequence[Path]) -> list[Recording]:
    """Read files, and every CSV below folders; one recording per product."""
    trades: dict[str, dict[int, Candle]] = {}
    quotes: dict[str, dict[int, QuoteBar]] = {}
    lengths: dict[str, dict[int, Path]] = {}
    for path in _files(paths):
        product_id = _product_of(path)
        rows = list(_rows(path))
        lengths.setdefault(product_id, {})[_length(path, [row.start() for row in rows])] = path
        _require_one_length(product_id, lengths[product_id])
        if ".quotes." in path.name or path.name.startswith("quotes."):
            _merge(quotes.setdefault(product_id, {}), [(row, _quote(row)) for row in rows])
        else:
            _merge(trades.setdefault(product_id, {}), [(row, _trade(row)) for row in rows])
    return [
        Recording(
            product_id=product_id,
            length=next(iter(found)),
            trades=trades.get(product_id, {}),
            quotes=quotes.get(product_id, {}),
        )
        for product_id, found in sorted(lengths.items())
    ]


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.endswith((".csv", ".csv.gz")))
            if not inside:
                raise CannotStart(f"--replay {path}: no .csv or .csv.gz file in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise CannotStart(f"--replay {path}: no such file or folder")
    return list(dict.fromkeys(found))


def _rows(path: Path) -> Iterator[_Row]:
    is_quotes = ".quotes." in path.name or path.name.startswith("quotes.")
    columns = _QUOTE_COLUMNS if is_quotes else _TRADE_COLUMNS
    try:
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CannotStart(f"{path}: cannot be read: {error}") from error
    lines = csv.reader(text.splitlines())
    header = next(lines, [])
    if header != columns:
        raise CannotStart(f"{path}: line 1: columns are {','.join(header)!r}, expected {','.join(columns)!r}")
    count = 0
    for cells in lines:
        count += 1
        if len(cells) != len(columns):
            raise CannotStart(f"{path}: line {lines.line_num}: {len(cells)} fields, expected {len(columns)}")
        yield _Row(path, lines.line_num, dict(zip(columns, cells, strict=True)))
    if not count:
        raise CannotStart(f"{path}: no rows")


def _trade(row: _Row) -> Candle:
    prices = {name: row.price(name) for name in _TRADE_COLUMNS[1:5]}
    _check_range(row, prices, "")
    return Candle(row.start(), prices["open"], prices["high"], prices["low"], prices["close"], row.number("volume"))


def _quote(row: _Row) -> QuoteBar:
    return QuoteBar(start=row.start(), bid=row.side("bid"), ask=row.side("ask"))


def _check_range(row: _Row, prices: dict[str, Decimal], prefix: str) -> None:
    if prices["high"] < max(prices.values()):
        raise row.refused(f"{prefix}high", "is below another price of its bar")
    if prices["low"] > min(prices.values()):
        raise row.refused(f"{prefix}low", "is above another price of its bar")


def _merge(into: dict[int, Bar], rows: list[tuple[_Row, Bar]]) -> None:
    previous = -1
    for row, bar in rows:
        if bar.start <= previous:
            raise row.refused("start", "is not after the row before it")
        if bar.start in into:
            raise row.refused("start", "was already given by another file")
        previous = bar.start
        into[bar.start] = bar


def _product_of(path: Path) -> str:
    for part in (path.name.partition(".")[0], *reversed(path.resolve().parts[:-1])):
        if PRODUCT_ID.fullmatch(part):
            return part
    raise CannotStart(f"--replay {path}: neither the file's name nor a folder above it is a product such as BTC-USD")


def _length(path: Path, starts: list[int]) -> int:
    step = gcd(*starts, *(after - before for before, after in pairwise(starts)))
    for length in (DAY, 3600, 60):
        if step % length == 0 and (len(starts) > 1 or length == 60):
            return length
    if not step:
        raise CannotStart(f"{path}: field 'start': all rows begin at zero")
    return 1


def _require_one_length(product_id: str, found: dict[int, Path]) -> None:
    if len(found) > 1:
        named = ", ".join(f"{path} ({length} s)" for length, path in found.items())
        raise CannotStart(f"--replay: bars of different length for {product_id}: {named}")
