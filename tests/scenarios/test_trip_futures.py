"""US futures through the running gate: G8, RG4, RG12, funding, and books that agree with the venue's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from stand import BTC, TERMS, Stand, Terms, approved, failed, policy, trips, until

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import MarginSummary, Position
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.market import FutureTerms, ProductSpec, Universe
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain import records

D = Decimal
BIP = "BIP-20DEC30-CDE"
SIZE = D("0.01")


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    """Trade one perpetual-style contract beside spot, and look at its margin each second."""
    return replace(
        TERMS,
        tiers={**TERMS.tiers, BIP: "T1"},
        futures=(BIP,),
        balances={"USD": "80000"},
        settings={"risk-gate": {"reconcile_seconds": 1, "futures_seconds": 1, "terms_seconds": 3}},
    )


@pytest.fixture(autouse=True)
def calm_futures(stand: Stand) -> None:
    """Give the wallet 20,000, the account the lower rates, the window a day and the contract years."""
    stand.market(margin_window="INTRADAY", window_ends_in_s=86400, margin_setting="INTRADAY")
    if not has_calm_terms(stand):
        stand.market(product_id=BIP, intraday_margin_rate="0.1", overnight_margin_rate="0.2", expires_in_s=10**8)
    fund(stand, "20000")
    until_all_know(stand, lambda: has_calm_terms(stand))


def has_calm_terms(stand: Stand) -> bool:
    """Whether the gate knows the contract as it is at the beginning of a test."""
    terms = latest_terms(stand)
    lives_on = terms.expires_at is not None and terms.expires_at > stand.clock.now() + timedelta(days=100)
    return lives_on and (terms.intraday_margin_long, terms.overnight_margin_long) == (D("0.1"), D("0.2"))


def until_all_know(stand: Stand, are_there: Callable[[], bool]) -> None:
    """Wait until the gate has these terms, market-data states the same, and nothing says otherwise any more."""
    told = stand.seen.specs  # a universe is told again with each change only
    until(lambda: are_there() and BIP in told and told[BIP].future == latest_terms(stand), "the contract's terms")
    since = stand.clock.now()
    until(lambda: stand.state().published_at > since and stand.cause("terms_differ") is None, "agreed terms")


def ask(stand: Stand, intraday: str, overnight: str) -> None:
    """Let the venue ask these shares of a position's worth as margin, and wait until the gate knows."""
    stand.market(product_id=BIP, intraday_margin_rate=intraday, overnight_margin_rate=overnight)

    def is_known() -> bool:
        terms = [one.account for one in stand.journal() if isinstance(one, records.MarginSeen)][-1].terms[BIP]
        return (terms.intraday_margin_long, terms.overnight_margin_long) == (D(intraday), D(overnight))

    until_all_know(stand, is_known)


def with_size(spec: ProductSpec, size: Decimal) -> ProductSpec:
    """Restate a contract as one of another size; everything else about it stays true."""
    assert spec.future is not None
    unit = size / spec.future.contract_size
    return spec.model_copy(
        update={
            "base_increment": spec.base_increment * unit,
            "base_min_size": spec.base_min_size * unit,
            "future": spec.future.model_copy(update={"contract_size": size}),
        }
    )


def said(stand: Stand, forged: ProductSpec) -> Universe:
    """Make a universe that is true but for one product."""
    products = tuple({**stand.seen.specs, forged.product: forged}.values())
    return Universe(version=10**6, products=products, published_at=stand.clock.now())


def latest_terms(stand: Stand) -> FutureTerms:
    return [one.account for one in stand.journal() if isinstance(one, records.MarginSeen)][-1].terms[BIP]


def fund(stand: Stand, wallet: str) -> None:
    """Move dollars between spot and the futures wallet until it holds this, and the gate has seen it."""
    missing = D(wallet) - D(futures(stand)["summary"]["cfm_usd_balance"])
    stand.system.ask_exchange("/balances", {"currency": "USD", "amount": str(missing), "to_futures": True})
    until(lambda: margin(stand).wallet == D(wallet), "the gate's word on the wallet")


def margin(stand: Stand) -> MarginSummary:
    return until(lambda: stand.account().margin, "the gate's word on margin")


def ends_soon(stand: Stand, seconds: int) -> None:
    stand.market(margin_window="INTRADAY", window_ends_in_s=seconds)
    until(lambda: margin(stand).window_ends_at < stand.clock.now() + timedelta(seconds=seconds), "the window's end")


def futures(stand: Stand) -> Any:
    return stand.books()["futures"]


def contracts(stand: Stand) -> Decimal:
    """Return what the venue says is held, negative for short."""
    held = [one for one in futures(stand)["positions"] if one["product_id"] == BIP]
    return sum((D(one["number_of_contracts"]) * (1 if one["side"] == "LONG" else -1) for one in held), D(0))


def position(stand: Stand) -> Position:
    return next(one for one in stand.account().positions if one.product == BIP)


def short(stand: Stand, **changes: Any) -> Decision:
    return stand.enter(BIP, side=Side.SELL, **changes)


def agrees(stand: Stand) -> bool:
    """Whether the gate found its books equal to the venue's after its newest fill."""
    reconciled = [one for one in stand.journal() if isinstance(one, records.Reconciled | records.FillReported)]
    return isinstance(reconciled[-1], records.Reconciled) and reconciled[-1].is_equal


def test_a_short_is_approved_filled_and_closed_and_the_books_agree_with_the_venue(stand: Stand) -> None:
    approved(short(stand))
    stand.settled()
    held, at_venue = stand.position(BIP), contracts(stand)
    shown = position(stand)
    until(lambda: agrees(stand), "books that agree while short")
    stand.leave(BIP)
    until(lambda: agrees(stand), "books that agree when flat")
    stand.hold(BIP)
    until(lambda: agrees(stand), "books that agree while long")
    long = contracts(stand)

    assert held < 0
    assert at_venue * SIZE == held
    assert shown.contracts == at_venue
    assert long * SIZE == stand.position(BIP) > 0
    assert not stand.state().causes


@pytest.mark.parametrize(
    ("rule", "limits"),
    [
        pytest.param("futures_are_allowed", {"is_allowed": False}, marks=policy(futures={"is_allowed": False})),
        pytest.param(
            "futures_leverage_is_within_limit",
            {"max_leverage": "0.001"},
            marks=policy(futures={"max_leverage": "0.001"}),
        ),
        pytest.param(
            "futures_exposure_is_within_share",
            {"exposure_fraction": "0.001"},
            marks=policy(futures={"exposure_fraction": "0.001"}),
        ),
        pytest.param(
            "futures_position_is_within_share",
            {"position_fraction": "0.001"},
            marks=policy(futures={"position_fraction": "0.001"}),
        ),
        pytest.param(
            "contract_lives_on",
            {"no_entry_before_expiry_seconds": 3 * 10**8},
            marks=policy(futures={"no_entry_before_expiry_seconds": 3 * 10**8}),
        ),
    ],
)
@trips(
    "futures_are_allowed",
    "futures_leverage_is_within_limit",
    "futures_exposure_is_within_share",
    "futures_position_is_within_share",
    "contract_lives_on",
)
def test_a_future_past_a_cap_is_denied_by_name(stand: Stand, rule: str, limits: dict[str, Any]) -> None:
    for side in Side:
        decision = stand.enter(BIP, side=side)
        assert failed(decision).keys() == {rule}, limits
    assert not stand.orders()


@trips("terms_are_the_venues")
def test_a_forged_contract_size_is_denied_by_name_and_an_exit_is_spelled_by_the_venues(stand: Stand) -> None:
    """Say, as market-data, that a contract is a hundredth of what it is: a hundred times as many would be ordered."""
    stand.hold(BIP)
    before, true = contracts(stand), stand.seen.specs[BIP]
    stand.freeze("market-data")
    forged = with_size(true, SIZE / 100)
    stand.publish(subjects.UNIVERSE, said(stand, forged))
    until(lambda: stand.seen.specs[BIP] == forged, "the forged universe")
    denied, other = stand.enter(BIP), stand.enter(BTC)
    cause = stand.until_cause("terms_differ", product=BIP)
    left = stand.exit(BIP)
    until(lambda: not contracts(stand), "a flat venue")
    stand.settled()
    stand.thaw("market-data")
    stand.until_gone("terms_differ")
    again = stand.enter(BIP)
    stand.settled()

    check = failed(denied)["terms_are_the_venues"]
    assert ("contract size 0.0001" in check.value, "contract size 0.01" in check.limit) == (True, True)
    approved(other)
    assert cause.status == "reduce_only"
    assert "contract size is 0.01, market-data says 0.0001" in cause.detail
    assert approved(left).quantity == before * SIZE
    assert [D(one["order_configuration"]["sor_limit_ioc"]["base_size"]) for one in stand.orders(BIP)][1] == before
    assert not stand.position(BIP) or contracts(stand) * SIZE == stand.position(BIP)
    approved(again)


@trips("product_accepts_orders")
def test_a_status_flag_that_market_data_hides_denies_until_the_venue_takes_it_back(stand: Stand) -> None:
    def is_seen() -> bool:
        terms = stand.enter(BIP, age=timedelta(minutes=5)).market.terms
        return terms is not None and terms.is_cancel_only

    stand.freeze("market-data")
    stand.market(product_id=BIP, flags={"cancel_only": True})
    until(is_seen, "the gate's own look at the venue")
    denied = stand.enter(BIP)
    stand.market(product_id=BIP, flags={"cancel_only": False})
    until(lambda: not is_seen(), "the end of the flag")
    stand.thaw("market-data")

    assert not stand.seen.specs[BIP].is_cancel_only
    assert failed(denied)["product_accepts_orders"].value == "cancel_only,future"
    assert failed(denied).keys() == {"product_accepts_orders"}
    approved(stand.enter(BIP))
    stand.settled()


def test_terms_that_change_at_the_venue_hold_at_once_and_deny_until_market_data_has_them(stand: Stand) -> None:
    stand.freeze("market-data")
    stand.market(product_id=BIP, overnight_margin_rate="0.3")
    cause = stand.until_cause("terms_differ", product=BIP)
    until(lambda: latest_terms(stand).overnight_margin_long == D("0.3"), "the gate's new rates")
    denied = short(stand)
    stand.thaw("market-data")
    stand.until_gone("terms_differ")

    assert "night margin long is 0.3, market-data says 0.2" in cause.detail
    assert "terms_are_the_venues" in failed(denied)
    approved(short(stand))
    stand.settled()


@policy(futures={"stale_seconds": 0})
def test_a_word_on_margin_that_is_too_old_counts_as_none(stand: Stand) -> None:
    denied = stand.enter(BIP)

    assert {"futures_leverage_is_within_limit", "initial_margin_is_covered"} <= failed(denied).keys()
    approved(stand.enter(BTC))
    stand.settled()


@trips("initial_margin_is_covered", "next_margin_is_covered", "balance_covers_it")
def test_margin_that_the_account_does_not_have_is_denied_now_and_before_the_rates_step_up(stand: Stand) -> None:
    """Be rich in coins and poor in dollars: only dollars are margin."""
    stand.hold(BTC)
    stand.transfer("BTC", "1")
    until(lambda: stand.position(BTC) > 1, "the coin")
    fund(stand, "100")
    spare = D(stand.books()["balances"]["USD"]["total"]) - 300
    stand.transfer("USD", str(-spare))
    until(lambda: stand.account().equity < 70000 and stand.account().is_reconciled, "an account without dollars")
    ask(stand, "0.1", "1")
    ends_soon(stand, 600)
    before_the_step = failed(short(stand))
    ask(stand, "1", "1")
    now = failed(short(stand))
    stand.transfer("USD", str(spare))
    stand.transfer("BTC", "-1")
    until(lambda: stand.account().equity > 50000 and stand.position(BTC) < 1, "dollars instead of the coin")

    assert "next_margin_is_covered" in before_the_step
    assert "initial_margin_is_covered" not in before_the_step
    assert {"initial_margin_is_covered", "balance_covers_it"} <= now.keys()
    assert not stand.orders(BIP)


@trips("liquidation_buffer_is_kept")
def test_an_order_that_would_lead_too_near_to_liquidation_is_denied(stand: Stand) -> None:
    fund(stand, "200")
    far = short(stand)
    stand.settled()
    stand.leave(BIP)
    fund(stand, "200")
    ask(stand, "0.1", "1")
    ends_soon(stand, 600)
    near = short(stand)
    fund(stand, "0")
    stand.market(margin_window="INTRADAY", window_ends_in_s=86400)
    until(lambda: margin(stand).window_ends_at > stand.clock.now() + timedelta(hours=12), "a long window")
    empty = short(stand)

    approved(far)
    assert failed(near).keys() == {"liquidation_buffer_is_kept"}
    assert failed(empty).keys() == {"liquidation_buffer_is_kept"}


@trips("liquidation_buffer")
@policy(futures={"reduce_after_seconds": 0})
def test_near_liquidation_trading_is_reduce_only_and_the_gate_reduces_until_the_buffer_is_back(stand: Stand) -> None:
    stand.hold(BIP)
    before = contracts(stand)
    fund(stand, str(before * 70))
    stand.price(BIP, 63000)
    cause = stand.until_cause("liquidation_buffer")
    denied = short(stand)
    stand.until_gone("liquidation_buffer")
    after = contracts(stand)

    assert cause.status == "reduce_only"
    assert "state_allows" in failed(denied)
    assert 0 < after < before
    assert {order["side"] for order in stand.orders()[1:]} == {"SELL"}
    assert (margin(stand).buffer or 9) >= D("0.15")
    assert not [one for one in stand.orders() if one["order_type"] == "LIQUIDATION"]


@trips("buffer_after_the_window")
@policy(futures={"reduce_after_seconds": 0})
def test_exposure_is_reduced_before_the_margin_window_steps_up(stand: Stand) -> None:
    stand.hold(BIP)
    before = contracts(stand)
    fund(stand, str(before * 75))
    ends_soon(stand, 600)
    stand.until_cause("margin_window")
    stand.until_gone("margin_window")
    after = contracts(stand)
    stand.market(margin_window="OVERNIGHT")
    until(lambda: margin(stand).window == "overnight", "the step")

    assert 0 < after < before
    until(lambda: (margin(stand).buffer or 9) >= D("0.15"), "a buffer after the step")
    assert not [one for one in stand.orders() if one["order_type"] == "LIQUIDATION"]


def test_a_liquidation_by_the_venue_halts_by_its_own_name_is_booked_and_needs_no_adoption(stand: Stand) -> None:
    stand.hold(BIP)
    wallet = D(futures(stand)["summary"]["cfm_usd_balance"])
    stand.system.ask_exchange("/balances", {"currency": "USD", "amount": str(1 - wallet), "to_futures": True})
    stand.price(BIP, 63900)
    cause = stand.until_cause("venue_liquidation")
    until(lambda: not stand.position(BIP), "the loss of the position in the books")
    until(lambda: agrees(stand), "books that agree")
    halted = stand.state()
    fund(stand, "20000")
    stand.reset("funded again")
    stand.trading()
    liquidation = next(one for one in stand.orders(BIP) if one["order_type"] == "LIQUIDATION")

    assert cause.orders == (liquidation["order_id"],)
    assert {one.code for one in halted.causes if one.status == "halted"} == {"venue_liquidation"}
    assert not [one for one in stand.journal() if isinstance(one, records.Adopted)]
    approved(stand.enter(BIP))
    stand.settled()


@trips("contract_lives_on", "contract_expiry")
def test_a_contract_is_closed_before_it_expires_and_takes_no_entries(stand: Stand) -> None:
    stand.hold(BIP)
    stand.market(product_id=BIP, expires_in_s=3600)
    until(lambda: not contracts(stand), "a flat venue")
    until(lambda: not stand.position(BIP), "flat books")
    denied = short(stand)
    stand.until_gone("contract_expiry")

    closing = [one for one in stand.seen.decisions if one.product == BIP and one.signal.strategy == "risk-gate"]
    assert closing[-1].signal.reason.startswith("expiry")
    assert "contract_lives_on" in failed(denied)


def test_funding_counts_to_the_last_digit_and_wallets_are_one_pot(stand: Stand) -> None:
    stand.hold(BIP)
    before = stand.account()
    stand.market(product_id=BIP, funding_rate="0.0005")
    until(lambda: latest_terms(stand).funding_rate == D("0.0005"), "the rate")
    stand.market(pays_funding=True)
    until(lambda: stand.account().funding != before.funding, "funding in the books")
    paid = [one for one in stand.books()["events"] if one["event"] == "funding"][-1]
    until(lambda: agrees(stand), "books that agree")
    after = stand.account()
    fund(stand, "15000")
    until(lambda: agrees(stand), "books that agree after dollars moved to spot")

    assert after.funding - before.funding == D(paid["amount"]) < 0
    assert stand.account().day_pnl == after.day_pnl
    assert not stand.state().causes
    dollars = sum(one.total for one in stand.account().cash if one.currency == "USD")
    assert dollars == D(futures(stand)["summary"]["total_usd_balance"])


def test_an_expired_contract_is_settled_in_the_books(stand: Stand) -> None:
    """Keep this the last one: the contract is gone afterwards."""
    stand.with_policy(futures={"close_before_expiry_seconds": 0, "no_entry_before_expiry_seconds": 0})
    stand.hold(BIP)
    stand.price(BIP, 64500)
    stand.market(product_id=BIP, expire=True)
    until(lambda: not stand.position(BIP), "a settled position")
    until(lambda: agrees(stand), "books that agree")

    settled = [one for one in stand.journal() if isinstance(one, records.ContractSettled)]
    assert abs(settled[-1].price - 64500) < 20
    assert abs(stand.account().equity - D(futures(stand)["summary"]["total_usd_balance"])) < D("0.01")
