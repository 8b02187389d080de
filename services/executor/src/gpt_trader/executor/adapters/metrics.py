"""Prometheus counters and histograms (floats are for display only); labels come from closed sets."""

from dataclasses import dataclass
from datetime import timedelta

import prometheus_client

from gpt_trader.contracts.orders import OrderEvent
from gpt_trader.executor.domain.submission import Outcome

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
INTENTS = prometheus_client.Counter("executor_intents", "intents by what was made of them", ["verdict"])
OUTCOMES = prometheus_client.Counter("executor_submissions", "creates by outcome", ["outcome"])
STAGES = prometheus_client.Histogram("executor_stage_seconds", "real time per stage", ["stage"], buckets=_SECONDS)
ORDERS = prometheus_client.Counter("executor_order_events", "steps in the life of orders", ["status", "purpose"])
FILLS = prometheus_client.Counter("executor_fills", "fills", ["kind"])
UNKNOWN = prometheus_client.Gauge("executor_unknown_orders", "orders whose outcome is unknown")
LIVE = prometheus_client.Gauge("executor_live_orders", "orders without a terminal report")
RETRIES = prometheus_client.Counter("executor_retries", "repeated reads and cancels", ["request"])
ALERTS = prometheus_client.Counter("executor_alerts", "alerts raised", ["code"])


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
        ORDERS.labels(event.status, event.purpose).inc()

    def filled(self, kind: str) -> None:
        """Count a fill."""
        FILLS.labels(kind).inc()

    def doubtful(self, orders: int, open_orders: int) -> None:
        """Show unknown and live orders."""
        UNKNOWN.set(orders)
        LIVE.set(open_orders)

    def retried(self, request: str) -> None:
        """Count a repetition."""
        RETRIES.labels(request).inc()

    def alerted(self, code: str) -> None:
        """Count an alert."""
        ALERTS.labels(code).inc()
