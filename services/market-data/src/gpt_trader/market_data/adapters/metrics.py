"""Counters, gauges and the receive-to-publish latency."""

from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gpt_trader.contracts.market import Candle

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Metrics:
    """What market-data measures; one per process."""

    def __init__(self, registry: CollectorRegistry, *, shards: int = 1) -> None:
        self._connections = Gauge("market_data_connections", "Feed connections that are open", registry=registry)
        self._wanted = Gauge(
            "market_data_connections_wanted", "Feed connections that should be open", registry=registry
        )
        Gauge("market_data_shards", "Processes that share the products", registry=registry).set(shards)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"market_data_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"market_data_{name}", text, ("product",), registry=registry)

        self._latency = Histogram(
            "market_data_receive_to_publish_seconds",
            "From reading a venue message to its tick being with the bus client",
            buckets=_SECONDS,
            registry=registry,
        )
        self._ticks = counter("ticks", "Ticks published", "product")
        self._candles = counter("candles", "Candles published", "interval", "origin")
        self._dropped = counter("dropped", "Messages not sent now, by cause", "cause")
        self._malformed = counter("malformed", "Venue messages that could not be read", "field")
        self._missed = counter("missed_messages", "Venue messages lost by sequence number")
        self._repeated = counter("repeated_messages", "Venue messages that came late or twice")
        self._gaps = counter("gaps", "Times a product became dirty", "product")
        self._reconnects = counter("reconnects", "Feed connections made again")
        self._quarantined = counter("quarantined", "Prices not believed", "product")
        self._history_failed = counter("history_failures", "Backfills that must be tried again", "product")
        self._answers = counter("venue_answers", "Answers to REST requests", "status")
        self._is_clean = gauge("feed_clean", "1 while the product's feed can be traded on")
        self._message_age = gauge("message_age_seconds", "Real age of the product's last message")
        self._heartbeat_age = gauge("heartbeat_age_seconds", "Real age of its connection's last heartbeat")

    def ticked(self, product: str, latency: timedelta) -> None:
        """Count a published tick."""
        self._ticks.labels(product).inc()
        self._latency.observe(latency.total_seconds())

    def candle(self, candle: Candle) -> None:
        """Count a candle."""
        self._candles.labels(candle.interval, candle.origin).inc()

    def dropped(self, cause: str) -> None:
        """Count what was not sent now."""
        self._dropped.labels(cause).inc()

    def malformed(self, field: str) -> None:
        """Count a message that could not be read."""
        self._malformed.labels(field).inc()

    def missed(self, count: int) -> None:
        """Count messages that the sequence numbers show as lost."""
        self._missed.inc(count)

    def repeated(self) -> None:
        """Count a message from the past."""
        self._repeated.inc()

    def gap(self, product: str) -> None:
        """Count a product that became dirty."""
        self._gaps.labels(product).inc()

    def connected(self, *, is_up: bool) -> None:
        """Count a connection in or out."""
        self._connections.inc(1 if is_up else -1)

    def wanted(self, connections: int) -> None:
        """Show how many connections the products need."""
        self._wanted.set(connections)

    def answered(self, status: int) -> None:
        """Count an answer to a REST request."""
        self._answers.labels(status).inc()

    def reconnected(self) -> None:
        """Count a connection made again."""
        self._reconnects.inc()

    def quarantined(self, product: str) -> None:
        """Count a price that was not believed."""
        self._quarantined.labels(product).inc()

    def history_failed(self, product: str) -> None:
        """Count a backfill that must be tried again."""
        self._history_failed.labels(product).inc()

    def health(self, product: str, *, is_clean: bool, message_age_seconds: float, heartbeat_age_seconds: float) -> None:
        """Show a product's feed."""
        self._is_clean.labels(product).set(is_clean)
        self._message_age.labels(product).set(message_age_seconds)
        self._heartbeat_age.labels(product).set(heartbeat_age_seconds)
