"""Real market days through the running system: the crash of 2017-09-04 and three products of 2018-04-05."""

from pathlib import Path

import pytest
import yaml
from harness import RunningSystem, system
from venue_books import approvals, fill_mismatches, oversold, repeated_orders, unapproved_orders

from gpt_trader.console.stack.policies import shipped_policy
from gpt_trader.contracts.decisions import Decision, Verdict
from gpt_trader.contracts.intents import SignedIntent
from gpt_trader.contracts.orders import Fill

DATA = Path(__file__).parents[3] / "shared" / "data" / "coinbase" / "minute"
DAYS = {"2017-09-04": ("BTC-USD",), "2018-04-05": ("BTC-USD", "ETH-USD", "LTC-USD")}


@pytest.mark.timeout(600)
@pytest.mark.skipif(not DATA.exists(), reason="the recorded market data is not beside this clone (../shared/data)")
@pytest.mark.parametrize("day", DAYS)
def test_a_real_day_is_traded_explained_and_audited(day: str, tmp_path: Path) -> None:
    products = DAYS[day]
    files = [str(DATA / product / f"{day}.{kind}.csv.gz") for product in products for kind in ("trades", "quotes")]
    options = [word for file in files for word in ("--replay", file)]
    options += ["--policy", str(taking(tmp_path / "policy.yaml"))]
    with system(
        tmp_path, *options, "--products", ",".join(products), "--start", f"{day}T06:00:00", "--rate", "600"
    ) as running:
        running.until("orders are filled", lambda: len(running.history("FILLS", Fill)) >= 4, seconds=180)
        running.until("a signal is denied", lambda: bool(denials(running)), seconds=180)
        assert running.trader("kill").returncode == 0
        running.until(
            "all fills are counted", lambda: not fill_mismatches(running.books(), running.history("FILLS", Fill))
        )

        books = running.books()
        assert not unapproved_orders(books, approvals(running.history("INTENTS", SignedIntent, "intents.approved.>")))
        assert not repeated_orders(books)
        assert not oversold(books)
        assert "MONEY" in running.trader("explain", running.history("FILLS", Fill)[0].client_order_id).stdout
        assert "FAIL" in running.trader("explain", denials(running)[0].decision_id).stdout
        assert running.trader("audit", "verify").returncode == 0


def taking(path: Path) -> Path:
    """Write the demo's limits for a clock at which a maker's fifteen seconds are 25 ms: nothing could be made."""
    limits = yaml.safe_load(shipped_policy("demo").read_text())
    path.write_text(yaml.safe_dump(limits | {"execution": limits["execution"] | {"style": "taker"}}))
    return path


def denials(running: RunningSystem) -> list[Decision]:
    return [decision for decision in running.history("DECISIONS", Decision) if decision.verdict is Verdict.DENIED]
