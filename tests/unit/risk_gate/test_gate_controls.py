"""C13: only what is listed can be entered."""

from gate_builders import a_policy, a_request, a_signal, a_state
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.risk_gate.domain.review import review

POLICY = a_policy()


@given(product=st.from_regex(r"[A-Z0-9]{1,12}-[A-Z]{3,5}", fullmatch=True))
def test_no_product_that_is_not_listed_is_ever_entered(product: str) -> None:
    wish = a_request(signal=a_signal(product=product), is_in_universe=False)

    found = review(wish, a_state(), POLICY)

    assert found.verdict is Verdict.DENIED
    assert "product_is_in_universe" in {check.rule for check in found.checks() if check.outcome == "failed"}
