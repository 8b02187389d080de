"""A short trading day made by the domains themselves, with the files that the services would leave behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import yaml

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, Position, TradingState, TradingStatus
from gpt_trader.contracts.decisions import MarketStatistics, MarketView, Regime
from gpt_trader.contracts.ids import FillId, SignalId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.market import (
    BookDepth,
    BookSummary,
    Candle,
    CandleOrigin,
    FeedState,
    FeedStatus,
    ProductSpec,
    ProductTerms,
    Tick,
    Tier,
)
from gpt_trader.contracts.message import GENESIS_HASH, Message, digest
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.executor.domain import records as orders
from gpt_trader.executor.domain.ledger import Ledger
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.risk_gate.domain import records as gate
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.consequences import has_slipped, of_fill, of_report
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.flatten import flatten_signal
from gpt_trader.risk_gate.domain.gate import evolve as evolve_gate
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import Holding
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.runtime.journal import Journal
from gpt_trader.runtime.recording import Recorder, recorder
from gpt_trader.strategy.domain.evolve import begin, evolve
from gpt_trader.strategy.domain.inputs import parse
from gpt_trader.strategy.domain.replay import SETUP
from gpt_trader.strategy.domain.reversion import REVERSION
from gpt_trader.strategy.domain.setup import Assignment, Setup, Strategies
from gpt_trader.strategy.domain.state import State
from gpt_trader.strategy.domain.trend import TREND

D = Decimal
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BTC = "BTC-USD"
SHIPPED: Strategies = {"trend": TREND, "mean-reversion": REVERSION}

RECORDING = Path("strategy/record/strategy.jsonl")
GATE_JOURNAL = Path("risk-gate/journal/gate.jsonl")
EXECUTOR_JOURNAL = Path("executor/journal/executor.journal")


@dataclass(slots=True)
class Day:
    """The three services hand to hand: what one says the next one hears at once."""

    strategies: Strategies
    record: Recorder
    policy: Policy
    now: datetime = START
    strategy: State = field(init=False)
    state: GateState = field(default_factory=GateState)
    gate_records: list[gate.Record] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    order_records: list[orders.Record] = field(default_factory=list)
    epoch: int = 0
    tick: Tick | None = None

    def start_strategy(self) -> None:
        """Begin a run of the strategies; again in the middle of a day = a restart."""
        setup = Setup(assignments=tuple(Assignment(strategy=name, products=(BTC,)) for name in self.strategies))
        self.record.record(self.now, SETUP, setup.encode())
        self.strategy = begin(setup, self.strategies)
        self.hear(subjects.STATE_TRADING, self._trading())
        self.hear(subjects.ACCOUNT, self._account())

    def start_gate(self) -> None:
        """Claim the next epoch; the first start opens the books."""
        self.epoch += 1
        if self.epoch == 1:
            document = self.policy.document()
            self.commit(gate.PolicyAdopted(version=self.policy.version(), document=document, at=self.now))
            self.commit(gate.Opened(cash={"USD": D(100_000)}, positions=(), at=self.now))
            self.execute(orders.Opened(at=self.now))
        self.commit(
            gate.EpochClaimed(
                epoch=self.epoch,
                intents_sequence=self.state.intents_sequence + 1,
                intents_head=GENESIS_HASH,
                at=self.now,
            )
        )
        self.commit(gate.Marked(equity=D(100_000), marks={}, at=self.now)) if self.epoch == 1 else None
        self.execute(orders.EpochSeen(epoch=self.epoch, at=self.now))

    def minute(self, number: int) -> None:
        """Trade one candle: a tick, then the close."""
        self.now = START + number * MINUTE
        price = price_at(number)
        self.tick = a_tick(price, number, self.now)
        self.hear(f"ticks.{BTC}", self.tick)
        self.hear(f"candles.1m.{BTC}", a_candle(price, price_at(number - 1), self.now - MINUTE))

    def hear(self, subject: str, message: Message) -> None:
        """Fold one input of the strategies and let the gate judge what they ask for."""
        payload = message.encode()
        event = parse(subject, payload)
        assert event is not None
        self.record.record(self.now, subject, payload)
        self.strategy, outputs = evolve(self.strategy, event, self.now)
        for output in outputs:
            if isinstance(output, Signal):
                self.judge(output, Purpose.ENTRY if output.action is Action.ENTER else Purpose.EXIT)

    def judge(self, signal: Signal, purpose: Purpose, slice_quantity: Decimal | None = None) -> None:
        """Decide on a signal; an approved one is traded at once and in full."""
        assert self.tick is not None
        heard = Signal.decode(signal.encode())
        request = Request(
            signal=heard,
            purpose=purpose,
            market=a_market(self.tick),
            marks={BTC: self.tick.mid} if BTC in self.state.portfolio.holdings else {},
            is_in_universe=True,
            slice_quantity=slice_quantity,
            preview=None,
            now=self.now,
        )
        record = decide(request, self.state, self.policy, CoinbaseBodies())
        self.commit(record)
        if record.intent is not None:
            self.trade(record.intent)

    def trade(self, intent: ApprovedIntent) -> None:
        """Store, permit, send, fill and report one approved order."""
        payload = digest(intent.encode())
        order_id, at = intent.client_order_id, self.now
        self.commit(
            gate.IntentStored(
                client_order_id=order_id, stream_sequence=intent.stream_sequence, payload_sha256=payload, at=at
            )
        )
        self.execute(orders.IntentSeen(intent=intent, at=at))
        self.execute(orders.Submitting(client_order_id=order_id, permit_before=at + MINUTE, at=at))
        self.commit(gate.PermitLogged(client_order_id=order_id, body_sha256=intent.body_sha256, origin_ns=None, at=at))
        venue_id = VenueOrderId(f"venue-{len(self.order_records)}")
        self.execute(orders.Accepted(client_order_id=order_id, venue_order_id=venue_id, at=at))
        self.commit(gate.PermitAnswered(client_order_id=order_id, outcome=PermitOutcome.ANSWERED, at=at))
        self.execute(orders.Filled(fill=a_fill(intent, venue_id), at=at))
        self.execute(
            orders.Observed(
                client_order_id=order_id,
                venue_order_id=venue_id,
                ending=OrderStatus.FILLED,
                filled_quantity=intent.quantity,
                reason="",
                occurred_at=at,
                at=at,
            )
        )
        self.hear(subjects.ACCOUNT, self._account())

    def flatten(self) -> None:
        """Close what is held by an operator's order."""
        assert self.tick is not None
        position = self.state.portfolio.quantity(BTC)
        sequence = self.state.control_sequence + 1
        self.commit(received(subjects.CONTROL_FLATTEN, b"{}", sequence, self.state, self.now))
        signal = flatten_signal(BTC, position, self.tick, f"flatten/{sequence}", self.now)
        self.judge(signal, Purpose.FLATTEN, position)

    def command(self, subject: str, payload: bytes) -> None:
        """Obey an operator."""
        self.commit(received(subject, payload, self.state.control_sequence + 1, self.state, self.now))

    def commit(self, record: gate.Record) -> None:
        """Write down and fold one record of the gate."""
        self.gate_records.append(record)
        self.state = evolve_gate(self.state, record)

    def execute(self, record: orders.Record) -> None:
        """Write down and fold one record of the executor, and tell the gate what it reports."""
        self.order_records.append(record)
        for report in self.ledger.apply(record):
            self.report(type(report).decode(report.encode()))

    def report(self, report: OrderEvent | Fill) -> None:
        """Let the gate take in what the executor says."""
        if isinstance(report, OrderEvent):
            kept = self.state.approvals.get(report.client_order_id)
            if kept is not None and report.revision > kept.revision:
                raised = of_report(report, self.state, self.policy, self.now)
                self.commit(gate.OrderReported(event=report, sequence=1, raised=raised, at=self.now))
            return
        approval = self.state.approvals.get(report.client_order_id)
        self.commit(
            gate.FillReported(
                fill=report,
                sequence=1,
                is_slippage=has_slipped(report, approval, self.policy),
                raised=of_fill(report, self.state, self.policy, self.now),
                at=self.now,
            )
        )

    def _trading(self) -> TradingState:
        return TradingState(
            status=TradingStatus.ACTIVE, causes=(), epoch=1, sequence=1, creates_in_flight=0, decisions=0,
            records=0, head_hash=GENESIS_HASH, published_at=self.now,
        )  # fmt: skip

    def _account(self) -> AccountSnapshot:
        nothing = D(0)
        held = [
            a_position(product, holding)
            for product, holding in self.state.portfolio.holdings.items()
            if holding.quantity
        ]
        return AccountSnapshot(
            equity=D(100_000), cash=(), positions=tuple(held), open_orders=(), exposure=nothing,
            worst_case_exposure=nothing,
            net_exposure=nothing, cluster_exposures={}, correlated_exposure=nothing,
            realized_pnl=nothing, unrealized_pnl=nothing, fees=nothing,
            day_start_equity=D(100_000), day_pnl=nothing, peak_equity=D(100_000), drawdown=nothing, fills=0,
            is_reconciled=True, published_at=self.now,
        )  # fmt: skip


@contextmanager
def a_day(run_dir: Path, strategies: Strategies = SHIPPED, policy: Policy | None = None) -> Iterator[Day]:
    """Start everything; at the end the journals are written where the services keep them."""
    with recorder(run_dir / RECORDING.parent, RECORDING.stem) as record:
        day = Day(strategies=strategies, record=record, policy=policy or a_policy())
        day.start_gate()
        day.start_strategy()
        yield day
    write_journal(run_dir / GATE_JOURNAL, day.gate_records)
    write_journal(run_dir / EXECUTOR_JOURNAL, day.order_records)


def a_traded_day(run_dir: Path, strategies: Strategies = SHIPPED, minutes: int = 194) -> Day:
    """Trade some hours, with a restart of the strategies and one of the gate, a pause and a flatten."""
    with a_day(run_dir, strategies) as day:
        for number in range(1, minutes):
            day.minute(number)
            if number == minutes // 2:
                day.start_gate()
                day.start_strategy()
            if number == minutes * 3 // 4:
                day.command(subjects.CONTROL_PAUSE, b'{"minutes":1,"reason":"lunch"}')
        if day.state.portfolio.quantity(BTC):
            day.flatten()
    return day


def a_restless_day(run_dir: Path, policy: Policy | None = None, wishes: int = 90) -> Day:
    """Ask for something every few seconds, wise or not, so that much is denied for many reasons."""
    with a_day(run_dir, policy=policy) as day:
        for number in range(1, wishes):
            day.now += timedelta(seconds=3 + 4 * (number % 5))
            day.tick = a_tick(price_at(number), number, day.now)
            is_exit = number % 4 == 3
            reference = day.tick.mid * (D("1.03") if number % 11 == 0 else 1)
            wish = a_signal(f"wish-{number}", Action.EXIT if is_exit else Action.ENTER, reference, day.now)
            day.judge(wish, Purpose.EXIT if is_exit else Purpose.ENTRY)
    return day


def write_journal(path: Path, records: list[gate.Record] | list[orders.Record]) -> None:
    with Journal.open(path) as journal:
        journal.append_all([(record.kind, record) for record in records])


def replace_line(path: Path, number: int, before: bytes, after: bytes) -> None:
    """Change one line (from 1) of a file."""
    lines = path.read_bytes().splitlines(keepends=True)
    assert before in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(before, after)
    path.write_bytes(b"".join(lines))


def line_of(path: Path, mark: bytes) -> int:
    """Find the first line (from 1) that holds this."""
    return next(number for number, line in enumerate(path.read_bytes().splitlines(), start=1) if mark in line)


def forged(path: Path, number: int, payload: dict[str, object]) -> None:
    """Change fields of one journal record and chain everything behind it again, as someone with the disk could."""
    entries = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    entries[number - 1]["payload"] |= payload
    path.unlink()
    with Journal.open(path) as journal:
        journal.append_all([(entry["kind"], entry["payload"]) for entry in entries])


def price_at(number: int) -> Decimal:
    """Swing between 50 000 and about 52 000 in waves of an hour."""
    phase = number % 60
    swing = phase if phase <= 30 else 60 - phase
    return D(50_000) + D(swing) * 65 + D(number * 7919 % 40)


def a_policy(**changes: object) -> Policy:
    """Make the demo policy; changes are spelled `section__key=value`."""
    document = deepcopy(_shipped())
    for path, value in changes.items():
        section, _, key = path.partition("__")
        document[section][key] = value
    return Policy.model_validate(document)


@cache
def _shipped() -> dict[str, Any]:
    return yaml.safe_load((files("gpt_trader.risk_gate") / "policies" / "demo.yaml").read_text())


def a_signal(name: str, action: Action, reference: Decimal, at: datetime) -> Signal:
    return Signal(
        signal_id=SignalId(name), strategy="trend", product=BTC, action=action,
        side=Side.BUY if action is Action.ENTER else Side.SELL, confidence=D(len(name) % 5) / 4,
        reference_price=reference, stop_price=None, target_price=None, reason="a wish", evidence={},
        parameters_version="1", caused_by="test", created_at=at, expires_at=at + MINUTE,
    )  # fmt: skip


def a_tick(price: Decimal, sequence: int, at: datetime) -> Tick:
    return Tick(
        product=BTC, bid=price - 5, ask=price + 5, bid_quantity=D(2), ask_quantity=D(2), last_price=price,
        sequence=sequence, occurred_at=at, received_at=at,
    )  # fmt: skip


def a_candle(price: Decimal, opened: Decimal, start: datetime) -> Candle:
    return Candle(
        product=BTC, interval="1m", start=start, open=opened, high=max(price, opened) + 3,
        low=min(price, opened) - 3, close=price, volume=D(12), origin=CandleOrigin.STREAM, published_at=start + MINUTE,
    )  # fmt: skip


def a_position(product: str, holding: Holding) -> Position:
    nothing = D(0)
    return Position(
        product=product, quantity=holding.quantity, average_entry_price=holding.average_price, mark=None,
        unrealized_pnl=nothing, realized_pnl=holding.realized, fees=holding.fees, strategy=holding.strategy,
        stop_price=holding.stop_price, target_price=holding.target_price, opened_at=holding.opened_at,
    )  # fmt: skip


def a_market(tick: Tick) -> MarketView:
    at, product = tick.occurred_at, tick.product
    depth = tuple(BookDepth(within_bps=bps, bid_notional=D(900_000), ask_notional=D(900_000)) for bps in (10, 50))
    spec = ProductSpec(
        product=product, base_currency="BTC", quote_currency="USD", kind="spot", base_increment=D("0.00000001"),
        price_increment=D("0.01"), base_min_size=D("0.00001"), base_max_size=D(3400), quote_min_size=D(1),
        is_disabled=False, is_cancel_only=False, is_limit_only=False, is_post_only=False, is_auction=False,
        tier=Tier.T1, volume_24h_notional=D(900_000_000),
    )  # fmt: skip
    return MarketView(
        spec=spec,
        terms=ProductTerms.model_validate({**dict(spec), "taker_rate": D("0.006")}),
        tick=tick,
        book=BookSummary(
            product=product, bid=tick.bid, ask=tick.ask, bid_quantity=D(2), ask_quantity=D(2), depth=depth,
            sequence=tick.sequence, occurred_at=at, received_at=at,
        ),
        feed=FeedStatus(
            product=product, state=FeedState.CLEAN, reason="", since=at, last_message_at=at, gaps=0, reconnects=0,
            published_at=at,
        ),
        statistics=MarketStatistics(
            volatility=D("0.02"), volatility_median=D("0.02"), volatility_samples=100, move_5m=D(0),
            mid_median_60s=tick.mid, volume_5m_notional=D(10_000_000), spread_median_bps=D(2),
            depth_median_notional=D(900_000), correlations={}, regime=Regime.CHOP,
        ),
    )  # fmt: skip


def a_fill(intent: ApprovedIntent, venue_order_id: VenueOrderId) -> Fill:
    return Fill(
        fill_id=FillId(f"fill-{intent.client_order_id}"), trade_id=f"trade-{intent.client_order_id}",
        client_order_id=intent.client_order_id, venue_order_id=venue_order_id, intent_id=intent.intent_id,
        strategy=intent.strategy, product=intent.product, side=intent.side, kind=FillKind.FILL,
        quantity=intent.quantity, price=intent.mark, fee=D("0.37"), fee_currency="USD", liquidity=Liquidity.TAKER,
        occurred_at=intent.approved_at, reported_at=intent.approved_at,
    )  # fmt: skip
