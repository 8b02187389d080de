"""What a size is made of: measured edge, regime, volatility; and what moves together is capped together."""

from datetime import timedelta
from decimal import Decimal

import pytest
from gate_builders import (
    BTC,
    ETH,
    D,
    a_market,
    a_policy,
    a_request,
    a_review,
    a_signal,
    a_spec,
    a_state,
    a_tick,
    a_trade,
    approved,
    exposed,
    failures,
    statistics,
    with_fill,
    with_limit,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.contracts.decisions import Regime, SizingStep, Verdict
from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.exposure import Exposure
from gpt_trader.risk_gate.domain.groups import clustered, correlated
from gpt_trader.risk_gate.domain.performance import Tally
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.scaling import kelly_fraction, usual_volume
from gpt_trader.risk_gate.domain.state import GateState

POLICY = a_policy()
SOL, DOGE, LTC = "SOL-USD", "DOGE-USD", "LTC-USD"
PRODUCTS = [BTC, ETH, SOL, DOGE, LTC]
coefficients = st.decimals(min_value=-1, max_value=1, places=4)
amounts = st.decimals(min_value=0, max_value=20000, places=2)


def step(found: Review, name: str) -> SizingStep:
    return next(one for one in found.sizing if one.step == name)


def an_exposure(by_product: dict[str, Decimal]) -> Exposure:
    total = sum(by_product.values(), D(0))
    return Exposure(by_product=by_product, net=total, total=total, reserved=D(0), cash=D(0), futures={})


def a_record(wins: int, losses: int, won: str = "1", lost: str = "1") -> GateState:
    """Make a gate whose strategy closed so many trades."""
    state, number = a_state(POLICY), 0
    for count, change in ((wins, D(won)), (losses, -D(lost))):
        for _ in range(count):
            number += 2
            state = with_fill(state, a_trade(Side.BUY, "1", "100", number=number))
            state = with_fill(state, a_trade(Side.SELL, "1", D(100) + change, number=number + 1))
    return state


@pytest.mark.parametrize(
    ("trades", "wins", "won", "lost", "share"),
    [
        (29, 29, 100, 0, "0.05"),  # too few to say
        (100, 55, 55, 45, "0.025"),  # f* = 0.55 - 0.45 = 0.1, a quarter of it
        (30, 30, 30, 0, "0.05"),  # never more than the tier
        (100, 49, 490, 51, "0.0025"),  # wins too rarely, however much
        (100, 60, 30, 70, "0.0025"),  # wins often and too little
        (30, 0, 0, 30, "0.0025"),
    ],
)
def test_the_share_is_a_quarter_of_kellys_once_enough_trades_are_closed(
    trades: int, wins: int, won: int, lost: int, share: str
) -> None:
    tally = Tally(trades=trades, wins=wins, won=D(won), lost=D(lost))

    assert kelly_fraction(tally, D("0.05"), POLICY.kelly)[0] == D(share)


def test_a_trade_is_counted_when_its_position_is_closed_with_all_its_fees() -> None:
    state = a_state(POLICY)
    for number, (side, quantity, price) in enumerate(
        [(Side.BUY, "1", "100"), (Side.BUY, "1", "110"), (Side.SELL, "1", "112"), (Side.SELL, "1", "100")]
    ):
        assert not state.performance.tallies
        state = with_fill(state, a_trade(side, quantity, price, number=number, fee="0.5"))

    assert state.performance.of("trend") == Tally(trades=1, wins=0, won=D(0), lost=D(0))

    state = with_fill(state, a_trade(Side.BUY, "1", "100", number=10, fee="1"))
    state = with_fill(state, a_trade(Side.SELL, "1", "104", number=11, fee="1"))
    assert state.performance.of("trend") == Tally(trades=2, wins=1, won=D(2), lost=D(0))


@pytest.mark.parametrize(("wins", "losses", "factor"), [(20, 9, "0.05"), (20, 20, "0.0025"), (40, 20, "0.05")])
def test_a_strategys_own_trades_size_its_entries(wins: int, losses: int, factor: str) -> None:
    state = a_record(wins, losses)

    own, other = a_review(state), a_review(state, signal=a_signal(strategy="another"))

    assert step(own, "kelly").factor == D(factor)
    assert step(other, "kelly").detail == "off: 0 of 30 trades"
    assert step(other, "kelly").notional == step(other, "tier").notional


@pytest.mark.parametrize(
    ("regime", "factor"),
    [(Regime.BULL, "1.2"), (Regime.CHOP, "1"), (Regime.BEAR, "0.6"), (Regime.CRASH, "0"), (Regime.UNKNOWN, "1")],
)
def test_each_regime_has_its_multiplier_and_no_cap_yields(regime: Regime, factor: str) -> None:
    found = a_review(market=a_market(statistics=statistics(regime=regime)))

    assert step(found, "regime").factor == D(factor)
    assert found.notional <= 100000 * POLICY.exposure.per_asset_fraction
    assert (found.verdict is Verdict.APPROVED) is (regime is not Regime.CRASH)


@pytest.mark.parametrize(("volatility", "factor"), [("0.01", "1"), ("0.04", "1"), ("0.08", "0.5"), (None, "0.5")])
def test_volatility_only_ever_shrinks(volatility: str | None, factor: str) -> None:
    known = None if volatility is None else D(volatility)

    found = a_review(market=a_market(statistics=statistics(volatility=known)))

    assert step(found, "volatility").factor == D(factor)


def test_a_market_that_was_never_measured_is_not_entered() -> None:
    found = a_review(market=a_market(statistics=None))

    assert failures(found).keys() == {"limit_is_within_period_collar", "mark_has_not_jumped"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"mid_median_60s": D(48600)}, {"limit_is_within_period_collar", "mark_has_not_jumped"}),
        ({"mid_median_60s": D("49737")}, {"mark_has_not_jumped"}),
        ({"mid_median_60s": D("49738")}, set()),
        ({"mid_median_60s": D("49751"), "volatility": None}, {"mark_has_not_jumped"}),
        ({"mid_median_60s": D("49752"), "volatility": None}, set()),
        ({"mid_median_60s": D("49500"), "volatility": D("0.04")}, set()),
        ({"mid_median_60s": None}, {"limit_is_within_period_collar", "mark_has_not_jumped"}),
    ],
)
def test_the_mark_and_the_limit_stay_near_the_minutes_median(change: dict[str, object], rule: set[str]) -> None:
    found = a_review(market=a_market(statistics=statistics(**change)))

    assert failures(found).keys() == rule


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"tick": a_tick().model_copy(update={"last_price": D(51001)})}, "trade_is_near_book"),
        ({"tick": a_tick(bid="50000", ask="50000")}, "market_is_two_sided"),
    ],
)
def test_a_tick_that_makes_no_sense_denies(changes: dict[str, object], rule: str) -> None:
    assert failures(a_review(market=a_market(**changes))).keys() == {rule}


def test_a_book_without_a_side_denies() -> None:
    market = a_market()
    assert market.book is not None
    one_sided = market.book.model_copy(update={"bid_quantity": D(0)})

    found = a_review(market=market.model_copy(update={"book": one_sided}))

    assert failures(found).keys() == {"market_is_two_sided"}


def test_an_order_is_at_most_its_part_of_the_volume_and_of_equity() -> None:
    thin = a_review(market=a_market(statistics=statistics(volume_5m_notional=D(100000))))
    dry = a_review(market=a_market(statistics=statistics(volume_5m_notional=D(10))))
    share = a_review(policy=a_policy(limits__order_fraction=0.01))

    assert thin.notional <= 1000
    assert step(thin, "volume").notional == 1000
    assert failures(dry).keys() == {"order_is_within_volume"}
    assert share.notional <= step(share, "order_share").notional == 1000


def test_without_a_trade_in_five_minutes_the_days_mean_counts() -> None:
    spec = a_spec(volume_24h_notional=D(2880000))

    assert usual_volume(statistics(volume_5m_notional=D(0)), spec) == usual_volume(None, spec) == 10000


def test_what_is_in_no_cluster_is_one_cluster() -> None:
    held = {BTC: ("0.1", "50000"), LTC: ("50", "100")}
    marks = {BTC: D(50000), LTC: D(100)}

    found = a_review(a_state(POLICY, cash="90000", positions=held), signal=a_signal(product="XRP-USD"), marks=marks)

    assert failures(found).keys() == {"cluster_is_within_share"}


def test_unknown_correlation_counts_whole_and_a_hedge_counts_as_well() -> None:
    exposure = an_exposure({BTC: D(100), ETH: D(200), SOL: D(1000)})

    assert correlated(BTC, exposure, {}) == 1300
    assert correlated(BTC, exposure, {ETH: D("0.5"), SOL: D("-0.1")}) == 300
    assert correlated(DOGE, exposure, {BTC: D(0), ETH: D(0), SOL: D(0)}) == 0


def test_a_position_that_moves_alike_denies_the_entry_and_one_that_does_not_lets_it_pass() -> None:
    policy = a_policy(exposure__correlated_fraction="0.06")
    state = a_state(policy, cash="94000", positions={ETH: ("2", "3000")})
    marks = {ETH: D(3000)}

    def entered(coefficient: str | None) -> Review:
        known = {} if coefficient is None else {ETH: D(coefficient)}
        return a_review(state, policy, market=a_market(statistics=statistics(correlations=known)), marks=marks)

    assert failures(entered(None)).keys() == failures(entered("1")).keys() == {"correlated_is_within_share"}
    assert entered("0.5").verdict is Verdict.APPROVED
    assert step(entered("0.5"), "correlated").notional == 3000
    assert entered("0.5").quantity < entered("0.1").quantity


@settings(max_examples=2000, deadline=None)
@given(
    st.dictionaries(st.sampled_from(PRODUCTS), amounts, max_size=5),
    st.dictionaries(st.sampled_from(PRODUCTS), coefficients, max_size=5),
    st.sampled_from(PRODUCTS),
    st.sampled_from(PRODUCTS),
    amounts,
)
def test_correlated_exposure_is_monotone_and_between_the_product_and_everything(
    by_product: dict[str, Decimal], known: dict[str, Decimal], product: str, more_of: str, more: Decimal
) -> None:
    exposure = an_exposure(by_product)

    found = correlated(product, exposure, known)
    grown = correlated(product, an_exposure({**by_product, more_of: exposure.of(more_of) + more}), known)
    stronger = correlated(product, exposure, {name: min(abs(one) * 2, D(1)) for name, one in known.items()})
    forgotten = correlated(product, exposure, dict(list(known.items())[1:]))

    assert exposure.of(product) <= found <= exposure.total
    assert found <= grown
    assert found <= stronger
    assert found <= forgotten


LIMITS = {
    "limits__order_fraction": "0.05", "limits__volume_fraction": "0.01", "exposure__correlated_fraction": "0.15",
    "exposure__default_cluster_fraction": "0.1", "kelly__fraction": "0.25", "kelly__no_edge_fraction": "0.0025",
    "scaling__target_volatility": "0.04", "scaling__unknown_volatility_multiplier": "0.5",
    "prices__period_collar_bps": "300", "prices__trade_distance_bps": "200", "prices__jump_floor_bps": "50",
    "prices__jump_sigmas": "10",
}  # fmt: skip
measured = st.builds(
    statistics,
    volatility=st.one_of(st.none(), st.decimals(min_value=0, max_value=1, places=3)),
    volume_5m_notional=st.one_of(st.none(), st.decimals(min_value=0, max_value=2000000, places=0)),
    mid_median_60s=st.decimals(min_value=49000, max_value=51000, places=0),
    regime=st.sampled_from(Regime),
    correlations=st.dictionaries(st.just(ETH), coefficients),
)
TALLIES = [a_record(0, 0), a_record(20, 12), a_record(10, 25)]


@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_a_tighter_limit_of_size_or_reason_never_approves_more(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LIMITS)))
    share = data.draw(st.decimals(min_value="0.0001", max_value=1, places=4))
    tight = with_limit(POLICY, name, D(LIMITS[name]) * share)
    state = data.draw(st.sampled_from(TALLIES))
    request = a_request(market=a_market(statistics=data.draw(measured)), marks={ETH: D(3000)})

    loose, found = review(request, state, POLICY), review(request, state, tight)

    if found.verdict is Verdict.APPROVED:
        assert loose.verdict is Verdict.APPROVED
        assert found.quantity <= loose.quantity


@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_whatever_is_held_pending_or_measured_no_cap_is_exceeded_and_rounding_adds_nothing(data: st.DataObject) -> None:
    held = data.draw(st.dictionaries(st.sampled_from(PRODUCTS), st.integers(1, 4500), max_size=4))
    state = a_state(POLICY, cash=str(100000 - sum(held.values())), positions={
        product: (str(worth), "1") for product, worth in held.items()
    })  # fmt: skip
    marks = {product: D(1) for product in held} | {BTC: D(50000)}
    if BTC in held:
        state = a_state(POLICY, cash="97500", positions={BTC: ("0.05", "50000")})
    if data.draw(st.booleans()):
        first = a_request(signal=a_signal(product=BTC, signal_id="pending"), marks=marks)
        if review(first, state, POLICY).verdict is Verdict.APPROVED:
            state, _ = approved(state, POLICY, first)
    product = data.draw(st.sampled_from([BTC, ETH, SOL]))
    spec = a_spec(product, base_increment=data.draw(st.sampled_from([D("0.1"), D("0.001"), D("0.00000001")])))
    known = data.draw(st.dictionaries(st.sampled_from(PRODUCTS), coefficients, max_size=4))
    market = a_market(product, spec=spec, statistics=statistics(correlations=known))
    signal = a_signal(product=product, confidence=data.draw(st.decimals(0, 1, places=2)))

    found = review(a_request(signal=signal, market=market, marks=marks), state, _unpaced())

    if found.verdict is Verdict.DENIED:
        return
    equity, rules = found.account.equity, POLICY.exposure
    assert equity is not None
    before = exposed(state, {**marks, product: D(50000)})
    after = an_exposure({**before.by_product, product: before.of(product) + found.notional})
    in_cluster, fraction = clustered(product, after, rules)
    assert after.total <= equity * rules.total_fraction
    assert after.of(product) <= equity * rules.per_asset_fraction
    assert in_cluster <= equity * fraction
    assert correlated(product, after, known) <= equity * rules.correlated_fraction
    assert found.notional <= equity * POLICY.limits.order_fraction
    assert found.quantity % spec.base_increment == 0
    assert found.notional <= min(one.notional for one in found.sizing)


def _unpaced() -> Policy:
    resting = ("between_trades_seconds", "per_product_seconds")
    pace = POLICY.frequency.model_copy(update=dict.fromkeys(resting, timedelta(0)))
    return POLICY.model_copy(update={"frequency": pace})


def test_every_tier_has_its_share() -> None:
    shares = [step(a_review(market=a_market(spec=a_spec(tier=tier))), "tier").factor for tier in Tier]

    assert shares == [D("0.05"), D("0.03"), D("0.01")]
