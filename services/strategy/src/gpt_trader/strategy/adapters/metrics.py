"""Prometheus counters and gauges (floats are for display only); labels come from closed sets and the universe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import assert_never

import prometheus_client

from gpt_trader.contracts.signals import NoTrade, Signal
from gpt_trader.strategy.domain.state import Output, ParametersAdopted, ParametersRefused

INPUTS = prometheus_client.Counter("strategy_inputs", "inputs folded", ["kind"])
MALFORMED = prometheus_client.Counter("strategy_malformed", "messages that could not be read", ["kind"])
COALESCED = prometheus_client.Counter("strategy_ticks_coalesced", "ticks overtaken by a newer one")
SIGNALS = prometheus_client.Counter("strategy_signals", "signals", ["strategy", "action"])
LOST = prometheus_client.Counter("strategy_signals_lost", "signals that expired before they were stored")
NO_TRADE = prometheus_client.Counter("strategy_no_trade", "cycles without a trade", ["strategy", "reason"])
PARAMETERS = prometheus_client.Counter("strategy_parameters", "parameter messages", ["strategy", "outcome"])
DECIDE = prometheus_client.Histogram(
    "strategy_decide_seconds",
    "time to fold one input",
    ["kind"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05),
)
CONFIDENCE = prometheus_client.Gauge("strategy_confidence", "of the last signal", ["strategy", "product"])
INDICATOR = prometheus_client.Gauge("strategy_indicator", "as last decided on", ["strategy", "product", "indicator"])

_MOST_SERIES = 500
_WORDS = frozenset({"code", "interval", "parameters_version"})
"""Evidence that may look like a number but measures nothing."""


@dataclass(slots=True)
class PrometheusMeasurements:
    """Indicator gauges stop at a fixed number of series: what comes later is in the evidence only."""

    _series: set[tuple[str, str, str]] = field(default_factory=set)

    def folded(self, kind: str, took: timedelta) -> None:
        """Count an input and its time."""
        INPUTS.labels(kind).inc()
        DECIDE.labels(kind).observe(took.total_seconds())

    def said(self, output: Output) -> None:
        """Count an output and show its evidence."""
        match output:
            case Signal():
                SIGNALS.labels(output.strategy, output.action).inc()
                CONFIDENCE.labels(output.strategy, output.product).set(float(output.confidence))
                self._show(output.strategy, output.product, output.evidence)
            case NoTrade():
                NO_TRADE.labels(output.strategy, output.evidence["code"]).inc()
                self._show(output.strategy, output.product, output.evidence)
            case ParametersAdopted():
                PARAMETERS.labels(output.strategy, "adopted").inc()
            case ParametersRefused():
                PARAMETERS.labels(output.strategy, "refused").inc()
            case _:
                assert_never(output)

    def malformed(self, subject: str) -> None:
        """Count by the subject's first word: the rest is the sender's choice."""
        MALFORMED.labels(subject.partition(".")[0]).inc()

    def coalesced(self) -> None:
        """Count a tick that was never evaluated."""
        COALESCED.inc()

    def lost(self) -> None:
        """Count a signal that came too late."""
        LOST.inc()

    def _show(self, strategy: str, product: str, evidence: Mapping[str, Decimal | str]) -> None:
        for name in evidence.keys() - _WORDS:
            value = evidence[name]
            series = (strategy, product, name)
            number = _number(value)
            if number is None or (series not in self._series and len(self._series) >= _MOST_SERIES):
                continue
            self._series.add(series)
            INDICATOR.labels(*series).set(float(number))


def _number(value: Decimal | str) -> Decimal | None:
    """Read a number that the message may have turned into text; words and versions are no gauges."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
