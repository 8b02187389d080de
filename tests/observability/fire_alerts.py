"""Each alert of SPEC OB6 is made to fire by what it is about: `make observability-alerts`.

The system is real, and so is the Prometheus that looks at it. The rules are the chart's with waits of a second, windows
of seconds, and thresholds that a test can wait for; what their true numbers do is held by `rules/*.yaml`.
The suite runs some of these (test_alerts_fire.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from stand import BTC, ETH, PRICES, SOL, Stand, failed, is_approved, policy, until
from watching import Prometheus, binary, hurried, prometheus

from gpt_trader.contracts.decisions import Decision

pytestmark = policy(venue_health={"min_requests": 1_000_000})
"""A venue that fails for one test shall not stop the next one from trading."""
SOON = {
    "feed_stale": (("> 30", "> 3"), ("> 60", "> 5")),
    "bot_stopped": (("> 30", "> 2"),),
    "large_unrealized_loss": (("< -0.02", "< -0.0005"),),
}


@dataclass(frozen=True, slots=True)
class Watched:
    """A stand and the Prometheus that looks at it."""

    stand: Stand
    prometheus: Prometheus

    def is_silent(self, *names: str) -> None:
        """Wait until these alerts do not fire: the cause of one must be what the test does."""
        self.prometheus.until(lambda: not set(names) & self.names(), f"the end of {names}", 40)

    def fires(self, name: str, severity: str, seconds: float = 30) -> None:
        """Wait until an alert fires."""
        self.prometheus.until(lambda: (name, severity) in self.prometheus.firing(), f"{name} ({severity})", seconds)

    def names(self) -> set[str]:
        return {name for name, _ in self.prometheus.firing()}


@pytest.fixture(scope="module")
def watcher(running_stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Look at the module's stand with the chart's rules."""
    folder = tmp_path_factory.mktemp("prometheus")
    ports = running_stand.system.ports
    targets = {name: f"127.0.0.1:{ports.health[name]}" for name in ("market-data", "executor", "risk-gate")}
    targets["exchange-sim"] = f"127.0.0.1:{ports.exchange_health}"
    with prometheus(folder, targets, [hurried(folder / "rules.yaml", SOON)]) as server:
        server.until(lambda: len(server.query("service_ready == 1")) == len(targets), "a first look at every service")
        yield server


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Skip before anything is started where there is no Prometheus."""
    binary("prometheus")


@pytest.fixture
def watched(stand: Stand, watcher: Prometheus) -> Watched:
    return Watched(stand, watcher)


def enter(stand: Stand, product: str) -> Decision:
    decision = stand.enter(product)
    assert is_approved(decision), failed(decision)
    return decision


def test_a_silent_venue_fires_feed_stale_and_connection_lost(watched: Watched) -> None:
    watched.is_silent("feed_stale", "connection_lost")
    watched.stand.freeze("exchange-sim")
    watched.fires("feed_stale", "warning")
    watched.fires("feed_stale", "critical")
    watched.fires("connection_lost", "critical")
    watched.stand.thaw("exchange-sim")
    watched.is_silent("feed_stale", "connection_lost")


def test_a_dead_gate_fires_gate_down(watched: Watched) -> None:
    watched.is_silent("gate_down")
    watched.stand.kill9("risk-gate")
    watched.fires("gate_down", "critical")
    watched.stand.start("risk-gate")
    watched.is_silent("gate_down")


def test_a_silent_strategy_fires_bot_stopped(watched: Watched) -> None:
    watched.is_silent("bot_stopped")
    watched.stand.hands.is_strategy_alive = False
    watched.fires("bot_stopped", "critical")
    watched.stand.hands.is_strategy_alive = True
    watched.is_silent("bot_stopped")


def test_a_dead_executor_fires_bot_stopped(watched: Watched) -> None:
    watched.is_silent("bot_stopped")
    watched.stand.kill9("executor")
    watched.fires("bot_stopped", "critical")


def test_reduce_only_fires_reduce_only_active(watched: Watched) -> None:
    watched.is_silent("reduce_only_active")
    watched.stand.command("reduce_only")
    watched.fires("reduce_only_active", "warning")
    watched.stand.command("resume")
    watched.is_silent("reduce_only_active")


@policy(breakers={"move_fraction": "0.02", "pause_seconds": 5})
def test_a_market_that_jumps_fires_circuit_breaker_open(watched: Watched) -> None:
    watched.is_silent("circuit_breaker_open")
    watched.stand.price(SOL, PRICES[SOL] * Decimal("1.03"))
    watched.fires("circuit_breaker_open", "warning")


def test_a_venue_that_answers_429_fires_rate_limit_high(watched: Watched) -> None:
    watched.is_silent("rate_limit_high")
    watched.stand.fault("http_429", "GET /api/v3/brokerage/accounts", times=3)
    watched.fires("rate_limit_high", "warning")


def test_rejected_orders_fire_failed_orders_and_execution_alerts(watched: Watched) -> None:
    watched.is_silent("failed_orders", "execution_degraded", "execution_critical")
    watched.stand.fault("http_429", "POST /api/v3/brokerage/orders", times=1)
    enter(watched.stand, BTC)
    watched.fires("failed_orders", "warning")
    watched.fires("execution_degraded", "warning")
    watched.fires("execution_critical", "critical")


def test_a_slow_venue_fires_execution_p95_spike(watched: Watched) -> None:
    watched.is_silent("execution_p95_spike")
    watched.stand.fault("slow_ms", "POST /api/v3/brokerage/orders", value=3500)
    enter(watched.stand, BTC)
    watched.fires("execution_p95_spike", "warning")
    watched.fires("execution_p95_spike", "critical")


def test_reads_that_fail_fire_execution_retry_high(watched: Watched) -> None:
    watched.is_silent("execution_retry_high")
    watched.stand.fault("http_500_before_accept", "GET /api/v3/brokerage/orders/historical", times=-1)
    enter(watched.stand, BTC)
    watched.fires("execution_retry_high", "warning")
    watched.fires("execution_retry_high", "critical")


@policy(working={"unfilled_seconds": 1, "cancels_unfilled": False})
def test_an_order_that_works_too_long_fires_stale_open_orders(watched: Watched) -> None:
    watched.is_silent("stale_open_orders")
    watched.stand.delays(pending_ms=8000)
    enter(watched.stand, BTC)
    watched.fires("stale_open_orders", "warning")


@policy(approvals={"expiry_seconds": 2})
def test_an_approval_that_runs_out_of_time_fires_expired_orders(watched: Watched) -> None:
    watched.is_silent("expired_orders")
    watched.stand.freeze("executor")
    decision = enter(watched.stand, ETH)
    until(lambda: (watched.stand.clock.now() - decision.decided_at).total_seconds() > 3, "the approval's end")
    watched.stand.thaw("executor")
    watched.fires("expired_orders", "warning")


@policy(losses={"daily_warn_fraction": "0.0005"})
def test_a_falling_price_fires_daily_loss_warning_and_large_unrealized_loss(watched: Watched) -> None:
    """Among the last: what it leaves behind is a loss of the day."""
    watched.is_silent("daily_loss_warning", "large_unrealized_loss")
    watched.stand.hold(BTC)
    watched.stand.price(BTC, PRICES[BTC] * Decimal("0.93"))
    watched.fires("daily_loss_warning", "warning")
    watched.fires("large_unrealized_loss", "warning")


def test_a_kill_fires_kill_active_until_the_reset(watched: Watched) -> None:
    watched.is_silent("kill_active")
    watched.stand.command("kill")
    watched.fires("kill_active", "critical", 5)
    watched.stand.command("reset")
    watched.is_silent("kill_active")
