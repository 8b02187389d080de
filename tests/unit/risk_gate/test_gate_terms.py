"""The venue's own terms: they rule, a difference denies entries, and what is not known denies them too."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from gate_builders import BTC, ETH, NOW, D, a_market, a_policy, a_review, a_signal, a_spec, a_state, a_watch, failures
from gate_builders import the_terms as terms_like

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.market import FutureTerms, ProductSpec, ProductTerms
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.terms import agree, compared, differences, outdated, rules_of, taken
from gpt_trader.risk_gate.domain.trading_state import standing
from gpt_trader.risk_gate.ports import VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.terms_watch import TermsWatch

BIP = "BIP-20DEC30-CDE"
FUTURE = FutureTerms(
    contract_size=D("0.01"),
    expires_at=NOW + timedelta(days=300),
    intraday_margin_long=D("0.1"),
    intraday_margin_short=D("0.1"),
    overnight_margin_long=D("0.2"),
    overnight_margin_short=D("0.2"),
    funding_rate=D("0.0001"),
)


def a_contract(**changes: Any) -> ProductSpec:
    """Make the spec of a future; changes are its contract's."""
    future = FUTURE.model_copy(update=changes)
    return a_spec(BIP, kind="future", quote_currency="USD", base_increment=future.contract_size, future=future)


CHANGED = [
    ("base_increment", "0.1", "base increment"),
    ("price_increment", "1", "price increment"),
    ("base_min_size", "1", "smallest quantity"),
    ("base_max_size", "1", "largest quantity"),
    ("quote_min_size", "100", "smallest notional"),
    ("quote_currency", "USDC", "quote currency"),
    ("kind", "future", "product type"),
]


@pytest.mark.parametrize(("name", "value", "spelled"), CHANGED)
def test_each_term_that_market_data_states_otherwise_denies_an_entry_by_its_name(
    name: str, value: str, spelled: str
) -> None:
    view = a_market(spec=a_spec(**{name: value}), terms=terms_like(a_spec()))

    check = failures(a_review(market=view))["terms_are_the_venues"]

    assert check.value.startswith(spelled)
    assert check.limit.startswith(spelled)
    assert check.value != check.limit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contract_size", D("0.0001")),
        ("expires_at", None),
        ("intraday_margin_long", D("0.01")),
        ("intraday_margin_short", D("0.01")),
        ("overnight_margin_long", D("0.01")),
        ("overnight_margin_short", D("0.01")),
    ],
)
def test_each_term_of_a_contract_counts_and_its_funding_does_not(name: str, value: object) -> None:
    said, true = a_contract(**{name: value}), terms_like(a_contract())

    assert not agree(said, true)
    assert differences(said, true)
    assert agree(a_contract(funding_rate=D("0.5")), true)


def test_terms_that_are_unknown_or_outdated_deny_entries_and_no_exit() -> None:
    held = a_state(positions={BTC: ("0.1", "50000")})
    for terms, value in ((None, "unknown"), (outdated(terms_like(a_spec())), "outdated")):
        entry = failures(a_review(market=a_market(terms=terms)))
        leaving = a_review(held, signal=a_signal(action=Action.EXIT), market=a_market(terms=terms))

        assert entry["terms_are_the_venues"].value == value
        assert leaving.verdict is Verdict.APPROVED


def test_an_exit_is_rounded_and_priced_by_the_venues_terms() -> None:
    held = a_state(positions={BTC: ("0.123", "50000")})
    true = terms_like(a_spec(), base_increment=D("0.01"), price_increment=D(5))

    found = a_review(held, signal=a_signal(action=Action.EXIT), market=a_market(terms=true))

    assert found.verdict is Verdict.APPROVED
    assert found.quantity == D("0.12")
    assert found.limit_price is not None
    assert found.limit_price % 5 == 0


def test_the_venues_terms_rule_the_tier_stays_market_datas_and_a_flag_counts_whoever_states_it() -> None:
    said = a_contract(contract_size=D("0.0001")).model_copy(update={"is_limit_only": True})
    true = terms_like(a_contract(), is_cancel_only=True)

    rules = rules_of(a_market(spec=said, terms=true))

    assert rules is not None
    assert rules.future == FUTURE
    assert (rules.base_increment, rules.tier) == (D("0.01"), said.tier)
    assert (rules.is_limit_only, rules.is_cancel_only, rules.is_post_only) == (True, True, False)
    assert rules_of(a_market(spec=None, terms=true)) is None


@pytest.mark.parametrize("flag", ["is_disabled", "is_cancel_only", "is_post_only", "is_auction"])
def test_a_flag_that_market_data_hides_denies_entry_and_exit_as_one_that_it_states(flag: str) -> None:
    hidden = a_market(terms=terms_like(a_spec(), **{flag: True}))
    stale = a_market(spec=a_spec(**{flag: True}))
    held = a_state(positions={BTC: ("0.1", "50000")})

    for view in (hidden, stale):
        assert failures(a_review(market=view)).keys() == {"product_accepts_orders"}
        assert "product_accepts_orders" in failures(a_review(held, signal=a_signal(action=Action.EXIT), market=view))


def test_a_fee_above_what_the_limits_assume_denies_entries() -> None:
    policy = a_policy(worst_fee_bps=50)

    def fee(rate: str) -> bool:
        view = a_market(terms=terms_like(a_spec(), taker_rate=D(rate)))
        return "fee_is_within_reserve" in failures(a_review(policy=policy, market=view))

    assert (fee("0.005"), fee("0.0051")) == (False, True)


def test_a_product_that_an_answer_lacks_keeps_its_terms_and_takes_no_entries_by_them() -> None:
    known = {BTC: terms_like(a_spec()), ETH: terms_like(a_spec(ETH))}

    now = taken(known, {BTC: known[BTC]}, (BTC, ETH))

    assert (now[BTC].is_current, now[ETH].is_current) == (True, False)
    assert taken(known, {}, (BTC,)).keys() == {BTC}


def test_a_difference_restricts_its_product_until_both_agree_again() -> None:
    specs, terms = {BTC: a_spec(price_increment="1")}, {BTC: terms_like(a_spec())}

    state = a_state()
    for record in compared(state, specs, terms, NOW):
        state = evolve(state, record)
    meanwhile = state
    again = list(compared(state, specs, terms, NOW))
    for record in compared(state, {BTC: a_spec()}, terms, NOW):
        state = evolve(state, record)

    assert standing(meanwhile.causes, BTC, NOW).status is TradingStatus.REDUCE_ONLY
    assert standing(meanwhile.causes, ETH, NOW).status is TradingStatus.ACTIVE
    assert meanwhile.causes[0].detail == "at the venue price increment is 0.01, market-data says 1"
    assert not again
    assert not state.causes


@dataclass(slots=True)
class FakeTerms:
    """The venue's answers; an empty list of products is never asked for."""

    listed: dict[str, ProductTerms] = field(default_factory=lambda: {BTC: terms_like(a_spec())})
    asked: list[tuple[str, ...]] = field(default_factory=list)
    is_away: bool = False

    async def terms(self, products: Collection[str]) -> Mapping[str, ProductTerms]:
        self.asked.append(tuple(products))
        if self.is_away:
            raise VenueUnavailable("away")
        return {name: self.listed[name] for name in products if name in self.listed}


def a_terms_watch(ledger: Ledger, venue: FakeTerms, every_seconds: float = 60) -> TermsWatch:
    market = a_watch()
    market.specs[BTC] = a_spec()
    market.members = frozenset({BTC})
    return TermsWatch(ledger=ledger, market=market, venue=venue, every_seconds=every_seconds)


async def test_it_asks_once_for_what_is_traded_and_not_again_before_its_time(ledger: Ledger) -> None:
    venue = FakeTerms()
    watch = a_terms_watch(ledger, venue)

    await watch.keep_up()
    await watch.keep_up()

    assert venue.asked == [(BTC,)]
    assert watch.market.view(BTC, None).terms == venue.listed[BTC]


async def test_it_asks_at_once_after_doubt_and_soon_for_a_product_that_is_unknown_or_differs(ledger: Ledger) -> None:
    venue = FakeTerms()
    watch = a_terms_watch(ledger, venue, every_seconds=60)
    await watch.keep_up()
    watch.doubt()
    await watch.keep_up()
    watch.market.specs[BTC] = a_spec(price_increment="1")
    await watch.keep_up()
    at_once = len(venue.asked)
    watch.every_seconds = 5  # a tenth of it is less than the shortest pause
    await asyncio.sleep(1.01)
    await watch.keep_up()

    assert (at_once, len(venue.asked)) == (2, 3)
    assert [(cause.code, cause.product) for cause in ledger.state.causes] == [("terms_differ", BTC)]


async def test_answers_that_are_missed_too_often_make_terms_outdated_and_the_next_one_current(ledger: Ledger) -> None:
    venue = FakeTerms()
    watch = a_terms_watch(ledger, venue, every_seconds=0.1)
    await watch.keep_up()
    venue.is_away = True
    watch.doubt()
    await watch.keep_up()
    once = watch.market.terms[BTC].is_current
    await asyncio.sleep(0.32)
    await watch.keep_up()
    often = watch.market.terms[BTC].is_current
    venue.is_away = False
    await asyncio.sleep(0.1)
    await watch.keep_up()

    assert (once, often, watch.market.terms[BTC].is_current) == (True, False, True)
