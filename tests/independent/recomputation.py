"""Exposure, profit and frequency of a run, computed from the venue's own books alone.

Nothing of the gate is imported, and nothing of its arithmetic is known here: fills, balances and order times come from
exchange-sim's `GET /books`. The only foreign number is the mark at which a position was valued: the gate's snapshot
states it, and `strange_marks` holds it against the candles that market-data recorded of the venue.

`python tests/independent/against_run.py RUN_DIR` compares a running system; `tests/e2e/test_finished_run.py`
does so for a short market. All arguments are plain JSON as it came from the wire.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Json = Mapping[str, Any]
ZERO = Decimal(0)
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill of the account at the venue."""

    at: datetime
    product: str
    signed: Decimal
    price: Decimal
    fee: Decimal

    @property
    def flow(self) -> Decimal:
        return -self.signed * self.price - self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueBooks:
    """What the venue knows: how the account began, every execution, and when each order was made.

    `stops` are the client ids of resting stops, which guard a position and are no trades, `further` those of the later
    orders of a wish that is made before it is taken: all of them together are one trade.
    """

    opening_cash: Decimal
    opening: Mapping[str, Decimal]
    executions: Sequence[Execution]
    transfers: Sequence[tuple[datetime, Decimal]]
    orders: Sequence[tuple[datetime, str]]
    stops: Sequence[str] = ()
    further: Collection[str] = ()

    def until(self, at: datetime) -> list[Execution]:
        return [one for one in self.executions if one.at <= at]


@dataclass(slots=True, kw_only=True)
class Worth:
    """The account at one moment."""

    equity: Decimal
    moved: Decimal
    exposure: Decimal
    realized: Decimal
    fees: Decimal


@dataclass(slots=True, kw_only=True)
class Comparison:
    """How often the gate and the venue's books were laid side by side, and where they disagree."""

    compared: int = 0
    skipped: int = 0
    differences: list[str] = field(default_factory=list)
    largest: Decimal = ZERO
    highest: Decimal = ZERO
    worst_day: Decimal = ZERO

    def check(self, what: str, at: datetime, gate: Decimal, ours: Decimal) -> None:
        self.largest = max(self.largest, abs(gate - ours))
        if abs(gate - ours) >= CENT:
            self.differences.append(f"{at.isoformat()} {what}: gate {gate}, venue's books {ours}")


def books_of(answer: Json, quote: str = "USD", further: Collection[str] = ()) -> VenueBooks:
    """Read exchange-sim's books; what there was at the beginning is what there is now without the fills."""
    executions = [_execution(row) for row in answer["fills"] if row["owner"] == "customer"]
    transfers = [
        (instant(row["at"]), Decimal(row["amount"])) for row in answer["transfers"] if row["currency"] == quote
    ]
    cash = Decimal(answer["balances"][quote]["total"]) - sum((one.flow for one in executions), ZERO)
    cash -= sum((amount for _, amount in transfers), ZERO)
    opening: dict[str, Decimal] = {}
    for currency, balance in answer["balances"].items():
        product = f"{currency}-{quote}"
        traded = sum((one.signed for one in executions if one.product == product), ZERO)
        if currency != quote:
            opening[product] = Decimal(balance["total"]) - traded
    mine = [row for row in answer["orders"] if _is_mine(row) and row["client_order_id"] not in further]
    return VenueBooks(
        opening_cash=cash,
        opening=opening,
        executions=executions,
        transfers=transfers,
        orders=sorted((instant(row["created_time"]), row["client_order_id"]) for row in mine if not _is_stop(row)),
        stops=[row["client_order_id"] for row in mine if _is_stop(row)],
        further=further,
    )


def worth_at(books: VenueBooks, at: datetime, marks: Mapping[str, Decimal]) -> Worth:
    """Value the account at a moment: cash and coins from the executions until then, at these marks."""
    executions = books.until(at)
    moved = sum((amount for made, amount in books.transfers if made <= at), ZERO)
    held = {product: quantity for product, quantity in books.opening.items() if quantity}
    for one in executions:
        held[one.product] = held.get(one.product, ZERO) + one.signed
    values = {product: quantity * marks[product] for product, quantity in held.items() if quantity}
    return Worth(
        equity=books.opening_cash + moved + sum((one.flow for one in executions), ZERO) + sum(values.values(), ZERO),
        moved=moved,
        exposure=sum((abs(value) for value in values.values()), ZERO),
        realized=sum((_realized(product, executions) for product in {one.product for one in executions}), ZERO),
        fees=sum((one.fee for one in executions), ZERO),
    )


def compare_accounts(books: VenueBooks, accounts: Iterable[Json], journal: Iterable[Json]) -> Comparison:
    """Hold each account snapshot against the venue's books: exposure, equity, P&L and the day's P&L, to the cent.

    A snapshot made while an execution or a transfer was on its way to the gate is skipped and counted: then the two
    speak of different moments. The day begins with the first valuation that the gate's journal names for it; its equity
    is recomputed too. Deposits and withdrawals are no profit; only those of the quote currency are known here.
    """
    found = Comparison()
    starts = _day_starts(books, journal, found)
    for account in accounts:
        at = instant(account["published_at"])
        if not account["cash"] or account["fills"] != len(books.until(at)) or not _is_priced(account):
            found.skipped += 1
            continue
        worth = worth_at(books, at, marks_of(account))
        if Decimal(account["transfers"]) != worth.moved:
            found.skipped += 1
            continue
        found.compared += 1
        found.check("equity", at, Decimal(account["equity"]), worth.equity)
        found.check("exposure", at, Decimal(account["exposure"]), worth.exposure)
        found.check("fees", at, Decimal(account["fees"]), worth.fees)
        found.highest = max(found.highest, worth.exposure)
        if not any(books.opening.values()):
            found.check("realized", at, Decimal(account["realized_pnl"]), worth.realized)
        if (start := starts.get(at.date())) is not None:
            gained = worth.equity - worth.moved - start.equity if at >= start.at else ZERO
            found.check("day_pnl", at, Decimal(account["day_pnl"]), gained)
            found.worst_day = min(found.worst_day, gained)
    return found


def compare_frequency(
    books: VenueBooks, decisions: Iterable[Json], unsent: Sequence[datetime], late: timedelta
) -> Comparison:
    """Hold the counts of each decision (orders in the last hour, orders of the UTC day) against the venue's orders.

    An order is made at the venue up to `late` after its approval, so one at the edge of a window may be on either side.
    `unsent` are approvals that never became an order.
    """
    found = Comparison()
    for decision in decisions:
        at = instant(decision["decided_at"])
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        for rule, start in (("trades_per_hour_are_few", at - timedelta(hours=1)), ("trades_per_day_are_few", midnight)):
            stated = [one["value"] for one in decision["checks"] if one["rule"] == rule and one["outcome"] != "skipped"]
            if not stated:
                continue
            gate = Decimal(stated[0])
            never = sum(start < one < at for one in unsent)
            sure = sum(made - late > start and made <= at for made, _ in books.orders)
            possible = sum(made > start and made - late < at for made, _ in books.orders)
            found.compared += 1
            found.skipped += sure != possible
            found.highest = max(found.highest, gate)
            if not sure + never <= gate <= possible + never:
                found.differences.append(f"{at.isoformat()} {rule}: gate {gate}, venue {sure}..{possible} + {never}")
    return found


def strange_marks(accounts: Iterable[Json], candles: Iterable[Json], stale: timedelta, slack: Decimal) -> list[str]:
    """Name each mark that is outside what the venue traded at until then; `slack` is the fraction for the spread."""
    ranges: dict[str, list[tuple[datetime, datetime, Decimal, Decimal]]] = {}
    for one in candles:
        begins = instant(one["start"])
        ends = begins + _length(one["interval"])
        ranges.setdefault(one["product"], []).append((begins, ends, Decimal(one["low"]), Decimal(one["high"])))
    strange = []
    for account in accounts:
        at = instant(account["published_at"])
        for product, mark in marks_of(account).items():
            near = [one for one in ranges.get(product, []) if one[0] <= at and one[1] >= at - stale]
            if any(one[1] >= at for one in near):
                low, high = min(one[2] for one in near), max(one[3] for one in near)
                if not low * (1 - slack) <= mark <= high * (1 + slack):
                    strange.append(f"{at.isoformat()} {product}: {mark} is not within {low} and {high}")
    return strange


def marks_of(account: Json) -> dict[str, Decimal]:
    """Return the marks at which a snapshot valued what it held."""
    return {one["product"]: Decimal(one["mark"]) for one in account["positions"] if one["mark"] is not None}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _execution(row: Json) -> Execution:
    return Execution(
        at=instant(row["trade_time"]),
        product=row["product_id"],
        signed=Decimal(row["size"]) * (1 if row["side"] == "BUY" else -1),
        price=Decimal(row["price"]),
        fee=Decimal(row["commission"]),
    )


def _is_mine(row: Json) -> bool:
    return bool(row["owner"] == "customer")


def _is_stop(row: Json) -> bool:
    return any(kind.startswith("stop_limit") for kind in row["order_configuration"])


def _is_priced(account: Json) -> bool:
    return all(one["mark"] is not None for one in account["positions"] if Decimal(one["quantity"]))


def _realized(product: str, executions: Sequence[Execution]) -> Decimal:
    """Add up what sales made over the average cost of what was held."""
    held = cost = made = ZERO
    for one in executions:
        if one.product != product:
            continue
        if held * one.signed >= 0:
            held, cost = held + one.signed, cost + one.signed * one.price
            continue
        closed = min(abs(one.signed), abs(held)) * (1 if one.signed > 0 else -1)
        share = -closed / held * cost
        made += -closed * one.price - share
        held, cost = held + closed, cost - share
        left = one.signed - closed
        held, cost = held + left, cost + left * one.price
    return made


@dataclass(frozen=True, slots=True)
class Start:
    """When a UTC day was first valued, and what the account was worth then without what was paid in."""

    at: datetime
    equity: Decimal


def _day_starts(books: VenueBooks, journal: Iterable[Json], found: Comparison) -> dict[Any, Start]:
    """Recompute what each UTC day began with, at the marks that the journal states, and compare."""
    starts: dict[Any, Start] = {}
    fills = 0
    for record in journal:
        fills += record["kind"] == "fill_reported"
        if record["kind"] not in {"opened", "marked"} or (at := instant(record["at"])).date() in starts:
            continue
        if record["kind"] == "opened":
            marks = {one["product"]: Decimal(one["mark"]) for one in record["positions"]}
            worth = worth_at(books, at, marks)
            starts[at.date()] = Start(at, worth.equity - worth.moved)
        elif fills == len(books.until(at)):
            marks = {product: Decimal(mark) for product, mark in record["marks"].items()}
            worth = worth_at(books, at, marks)
            starts[at.date()] = Start(at, worth.equity - worth.moved)
            found.check("day start", at, Decimal(record["equity"]), worth.equity)
        else:
            found.skipped += 1
    return starts


def _length(interval: str) -> timedelta:
    return timedelta(seconds=int(interval[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[interval[-1]])
