"""Prometheus counters and histograms (floats are for display only); labels come from closed sets."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import product

import prometheus_client

from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity, OrderEvent, OrderStatus, is_post_only_refusal
from gpt_trader.executor.domain.executions import slippage_bps
from gpt_trader.executor.domain.submission import Outcome
from gpt_trader.executor.domain.verification import Flaw

NOT_MADE = "not_made"
"""In place of `rejected` for an order that would have taken what it was to make: the next step follows, no failure."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
INTENTS = prometheus_client.Counter("executor_intents", "intents by what was made of them", ["verdict"])
OUTCOMES = prometheus_client.Counter("executor_submissions", "creates by outcome", ["outcome"])
STAGES = prometheus_client.Histogram("executor_stage_seconds", "real time per stage", ["stage"], buckets=_SECONDS)
ORDERS = prometheus_client.Counter("executor_order_events", "steps in the life of orders", ["status", "purpose"])
FILLS = prometheus_client.Counter("executor_fills", "fills", ["kind"])
SLIPPAGE = prometheus_client.Histogram(
    "executor_slippage_bps",
    "fill against the mark when the wish arrived (a stop's own price), in its disfavour",
    ["purpose", "liquidity"],
    buckets=(-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100, 200),
)
UNKNOWN = prometheus_client.Gauge("executor_unknown_orders", "orders whose outcome is unknown")
LIVE = prometheus_client.Gauge("executor_live_orders", "orders without a terminal report")
REQUESTS = prometheus_client.Counter("executor_requests", "reads and cancels, repetitions not counted", ["request"])
RETRIES = prometheus_client.Counter("executor_retries", "repeated reads and cancels", ["request"])
ALERTS = prometheus_client.Counter("executor_alerts", "alerts raised", ["code"])

for _outcome in ("accepted", "rejected", "abandoned", "unclear"):
    OUTCOMES.labels(_outcome)
for _stage in ("approval_to_intake", "journal", "submit", "tick_to_answer", "report", "reconcile"):
    STAGES.labels(_stage)
for _verdict in ("obeyed", "cancel", "epoch", "recalled", *Flaw):
    INTENTS.labels(_verdict)
for _request in ("cancel", "order", "orders", "open_orders", "fills"):
    REQUESTS.labels(_request)
    RETRIES.labels(_request)
for _status, _purpose in product(OrderStatus, Purpose):  # from zero on: else the first failure is no increase
    ORDERS.labels(_status, _purpose)
for _purpose in Purpose:
    ORDERS.labels(NOT_MADE, _purpose)
for _purpose, _liquidity in product(Purpose, Liquidity):
    SLIPPAGE.labels(_purpose, _liquidity)
for _kind in FillKind:
    FILLS.labels(_kind)


@dataclass(frozen=True, slots=True)
class PrometheusMeasurements:
    """The process-wide registry."""

    def taken(self, verdict: str) -> None:
        """Count an intent."""
        INTENTS.labels(verdict).inc()

    def submitted(self, outcome: Outcome, took: timedelta) -> None:
        """Count an outcome and its time."""
        OUTCOMES.labels(outcome.kind).inc()
        STAGES.labels("submit").observe(took.total_seconds())

    def waited(self, stage: str, took: timedelta) -> None:
        """Measure a stage."""
        STAGES.labels(stage).observe(took.total_seconds())

    def reported(self, event: OrderEvent) -> None:
        """Count a step."""
        is_unmade = event.status is OrderStatus.REJECTED and is_post_only_refusal(event.reason)
        ORDERS.labels(NOT_MADE if is_unmade else event.status, event.purpose).inc()

    def filled(self, fill: Fill, intent: ApprovedIntent) -> None:
        """Count a fill, and how far it was from where it was wished."""
        FILLS.labels(fill.kind).inc()
        if fill.kind is FillKind.FILL:
            SLIPPAGE.labels(intent.purpose, fill.liquidity).observe(float(slippage_bps(fill, intent)))

    def doubtful(self, orders: int, open_orders: int) -> None:
        """Show unknown and live orders."""
        UNKNOWN.set(orders)
        LIVE.set(open_orders)

    def asked(self, request: str) -> None:
        """Count a request."""
        REQUESTS.labels(request).inc()

    def retried(self, request: str) -> None:
        """Count a repetition."""
        RETRIES.labels(request).inc()

    def alerted(self, code: str) -> None:
        """Count an alert."""
        ALERTS.labels(code).inc()
