"""No domain, and no message between services, speaks a venue's language: a second venue means new adapters only."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_WORDS = re.compile(
    r"sor_limit|limit_limit|market_market|stop_limit_stop|trigger_bracket|twap_limit|order_configuration|stop_trigger_price"
    r"|base_size|stop_direction|STOP_DIRECTION|product_id|\"(client_)?order_ids?\"|/api/v3|brokerage|success_response"
    r"|PENDING|_QUEUED|CANCELLED|LIMIT_PRICE|PREVIEW_|failure_reason"
)
"""What its requests and answers are made of. The forms of orders are the field's own terms: FIX has each of them."""
SERVICES = ("market-data", "strategy", "risk-gate", "executor", "learning")
SPEAKING = {
    "services/risk-gate/src/gpt_trader/risk_gate/adapters/coinbase_bodies.py",
    "services/executor/src/gpt_trader/executor/adapters/parse.py",
    "services/executor/src/gpt_trader/executor/adapters/coinbase_exchange.py",
}
"""Adapters that must be found: the words are the ones in use."""


def test_no_domain_and_no_contract_knows_the_venues_words() -> None:
    domains = [path for name in SERVICES for path in (ROOT / "services" / name / "src").rglob("domain/**/*.py")]
    ports = [path for name in SERVICES for path in (ROOT / "services" / name / "src").rglob("ports.py")]
    modules = [*domains, *ports, *(ROOT / "libs" / "contracts" / "src").rglob("*.py")]

    assert len(domains) > 100
    assert {str(path.relative_to(ROOT)) for path in modules if _WORDS.search(path.read_text())} == set()
    assert {one for one in SPEAKING if _WORDS.search((ROOT / one).read_text())} == SPEAKING
