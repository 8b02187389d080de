"""What others do with the money, and what nobody told us: through the running gate, against the venue's own books."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from stand import BTC, ETH, TERMS, Stand, Terms, until

from gpt_trader.contracts.account import AccountSnapshot, TradingStatus
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain import records


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    """Look at the venue every second instead of every half minute, with tokens and lists that are done in seconds.

    A token's life counts from the beginning of its second: one of a second is often over before the venue reads it.
    """
    return replace(TERMS, settings={"risk-gate": {"reconcile_seconds": 1, "token_seconds": 5, "listed_seconds": 1}})


def cash(account: AccountSnapshot) -> Decimal:
    return next(one.total for one in account.cash if one.currency == "USD")


def adds_up(account: AccountSnapshot) -> bool:
    made = account.realized_pnl + account.unrealized_pnl - account.fees + account.funding + account.income
    return account.equity == account.opening_equity + account.transfers + made


def unlisted(stand: Stand, currency: str, amount: str) -> None:
    """Change a balance in a way that the venue does not explain."""
    stand.system.ask_exchange("/balances", {"currency": currency, "amount": amount, "is_listed": False})


def listed(stand: Stand, currency: str, amount: str, kind: str) -> None:
    """Change a balance, and have the venue's transactions call it so."""
    stand.system.ask_exchange("/balances", {"currency": currency, "amount": amount, "kind": kind})


def told_by_venue(stand: Stand) -> list[records.OrderReported]:
    """Return what became of orders by the venue's lists alone."""
    return [one for one in stand.journal() if isinstance(one, records.OrderReported) and one.evidence]


def test_a_deposit_and_a_withdrawal_are_recognised_and_are_neither_profit_nor_loss(stand: Stand) -> None:
    stand.hold(BTC)
    before = stand.account()
    stand.transfer("USD", "2500.25")
    until(lambda: stand.account().transfers - before.transfers == Decimal("2500.25"), "the deposit")
    after = stand.account()
    stand.transfer("USD", "-1000")
    stand.transfer("BTC", "0.01")
    until(lambda: stand.position(BTC) == before.positions[0].quantity + Decimal("0.01"), "the coins that came in")
    until(lambda: cash(stand.account()) == cash(before) + Decimal("1500.25"), "the withdrawal")
    last = stand.account()
    stand.transfer("BTC", "-0.01")
    until(lambda: stand.position(BTC) == before.positions[0].quantity, "the coins that went")

    assert cash(after) == cash(before) + Decimal("2500.25")
    assert abs(after.day_pnl - before.day_pnl) < 1
    assert abs(last.day_pnl - before.day_pnl) < 1
    assert last.drawdown <= before.drawdown + Decimal("0.0001")
    assert all(adds_up(one) for one in (before, after, last, stand.account()))
    assert not stand.state().causes
    assert stand.enter(BTC).verdict is Verdict.APPROVED


def test_a_change_that_nothing_explains_blocks_learning_then_entries_until_the_totals_are_adopted(stand: Stand) -> None:
    before = stand.account()
    unlisted(stand, "USD", "-25")
    until(lambda: not stand.account().is_reconciled, "books that differ")
    cause = stand.until_cause("balance_mismatch")
    denied = stand.enter(BTC)
    (difference,) = stand.account().differences
    wrong = {"reason": "a guess", "books": {"USD": "1"}}
    stand.command("adopt", json.dumps(wrong).encode())
    until(lambda: any(isinstance(one, records.AdoptionEnded) for one in stand.journal()), "a refusal")
    still = stand.account().differences
    right = {"reason": "a fee the venue took", "books": {"USD": str(difference.venue)}}
    stand.command("adopt", json.dumps(right).encode())
    until(lambda: stand.account().is_reconciled, "books that agree")
    stand.command("resume")
    stand.trading()

    assert cause.status is TradingStatus.REDUCE_ONLY
    assert "state_allows" in {found.rule for found in denied.failures}
    assert difference.ours - difference.venue == 25
    assert still == (difference,)
    assert stand.account().transfers - before.transfers == -25
    adopted = [one for one in stand.journal() if isinstance(one, records.Adopted)]
    assert [(one.before - one.after, one.reason) for one in adopted] == [(25, "a fee the venue took")]
    assert stand.enter(BTC).verdict is Verdict.APPROVED


def test_a_difference_of_more_than_a_hundredth_of_equity_halts(stand: Stand) -> None:
    unlisted(stand, "USD", "-5000")
    cause = stand.until_cause("balance_drift")
    (difference,) = stand.account().differences
    books = {"reason": "test", "books": {"USD": str(difference.venue)}}
    stand.command("adopt", json.dumps(books).encode())
    until(lambda: stand.account().is_reconciled, "books that agree")
    stand.command("reset")
    stand.trading()

    assert cause.status is TradingStatus.HALTED


def test_interest_is_income_and_a_transaction_of_an_unknown_type_stops_entries(stand: Stand) -> None:
    before = stand.account()
    listed(stand, "USD", "7.5", "interest")
    until(lambda: stand.account().income - before.income == Decimal("7.5"), "the interest")
    after = stand.account()
    listed(stand, "USD", "-20", "tx")
    cause = stand.until_cause("unknown_transaction")
    denied = stand.enter(BTC)
    (difference,) = until(lambda: stand.account().differences, "the difference")
    books = {"reason": "a charge", "books": {"USD": str(difference.venue)}}
    stand.command("adopt", json.dumps(books).encode())
    until(lambda: stand.account().is_reconciled, "books that agree")
    stand.command("resume")
    stand.trading()

    assert (after.transfers, after.day_pnl - before.day_pnl) == (before.transfers, Decimal("7.5"))
    assert cause.status is TradingStatus.REDUCE_ONLY
    assert "tx -20 USD" in cause.detail
    assert "state_allows" in {found.rule for found in denied.failures}
    assert adds_up(stand.account())


def test_an_adoption_is_refused_while_entries_are_allowed(stand: Stand) -> None:
    stand.command("adopt", b'{"reason": "no need", "books": {"USD": "5"}}')

    def notes() -> list[str]:
        return [one.note for one in stand.journal() if isinstance(one, records.CommandReceived)]

    until(lambda: any(note.startswith("refused: entries are allowed") for note in notes()), "a refusal")


def test_a_trade_made_elsewhere_halts_until_it_is_acknowledged_and_is_then_in_the_books(stand: Stand) -> None:
    before = stand.account()
    stand.external(BTC, "buy", "0.01")
    cause = stand.until_cause("unapproved_order", within=2)
    stand.reset("it was me")
    until(lambda: stand.position(BTC) == Decimal("0.01"), "the trade in the books")
    until(lambda: stand.account().is_reconciled, "books that agree")
    stand.trading()
    fill = stand.books()["fills"][-1]

    assert cause.status is TradingStatus.HALTED
    paid = Decimal(fill["price"]) * Decimal(fill["size"]) + Decimal(fill["commission"])
    assert cash(before) - cash(stand.account()) == paid
    assert stand.account().fees - before.fees == Decimal(fill["commission"])
    assert stand.account().transfers == before.transfers
    assert adds_up(stand.account())


def test_a_reset_excuses_the_orders_it_names_and_a_later_one_halts_again(stand: Stand) -> None:
    stand.external(BTC, "buy", "0.01")
    (first,) = stand.until_cause("unapproved_order", within=2).orders
    stand.external(BTC, "buy", "0.001", "1000")
    until(lambda: len(stand.cause("unapproved_order").orders) == 2, "both orders in the cause")
    stand.command("reset", json.dumps({"reason": "the first was me", "orders": [first]}).encode())
    until(lambda: stand.position(BTC) == Decimal("0.01"), "the trade in the books")
    left = stand.until_cause("unapproved_order")
    stand.reset("the second, too")
    stand.until_gone("unapproved_order")

    assert left.status is TradingStatus.HALTED
    assert first not in left.orders
    assert len(left.orders) == 1


def test_a_fill_that_nobody_reported_is_found_and_named_and_counted_once_it_is(stand: Stand) -> None:
    stand.fault("lost_reply", match="POST /api/v3/brokerage/orders")
    decision = stand.enter(BTC)
    until(lambda: any(order["status"] == "FILLED" for order in stand.orders()), "a fill")
    stand.freeze("executor")
    cause = stand.until_cause("missing_fill")
    fill = stand.books()["fills"][-1]
    assert not stand.account().is_reconciled
    stand.thaw("executor")
    stand.until_gone("missing_fill")

    assert decision.verdict is Verdict.APPROVED
    assert fill["entry_id"] in cause.detail
    assert stand.position(BTC) == Decimal(fill["size"])


def compared_orders(stand: Stand) -> list[records.OrdersCompared]:
    return [one for one in stand.journal() if isinstance(one, records.OrdersCompared)]


def test_an_order_that_is_open_on_one_side_only_in_three_looks_pauses_everything(stand: Stand) -> None:
    stand.hold(BTC)
    ours = stand.orders()[-1]
    stand.fault("no_idempotency", times=-1)
    stand.external(BTC, "buy", "0.001", "1000", client_order_id=ours["client_order_id"])
    cause = stand.until_cause("order_drift")
    compared = compared_orders(stand)
    stand.command("resume")
    stand.command("flatten")
    until(lambda: stand.orders()[-1]["status"] == "CANCELLED", "the end of the second order")
    until(lambda: not stand.position(BTC), "a flat position")
    until(lambda: not compared_orders(stand)[-1].drifting, "a look that agrees: before, no resume lifts it")

    assert cause.status is TradingStatus.PAUSED
    assert [one.drifting for one in compared[-3:]] == [(ours["client_order_id"],)] * 3
    assert ours["client_order_id"] in cause.detail


def test_what_a_lost_executor_never_told_is_decided_by_the_venues_lists_when_an_operator_asks(stand: Stand) -> None:
    """One order never reached the venue, one was filled there; the executor hears of neither answer.

    Keep this the last one: when the executor is back it looks for the first order for a while, and at others meanwhile.
    """
    told_before = len(told_by_venue(stand))
    stand.fault("http_500_before_accept", match="POST /api/v3/brokerage/orders")
    stand.fault("lost_reply", match="POST /api/v3/brokerage/orders")
    stand.ask(Action.ENTER, ETH)
    stand.ask(Action.ENTER, BTC)
    until(lambda: len(stand.account().open_orders) == 2, "two orders on their way")
    until(lambda: any(order["status"] == "FILLED" for order in stand.orders()), "a fill")
    stand.freeze("executor")
    stand.until_cause("missing_fill")
    stand.reset("the executor is gone for good")
    stand.settled()
    stand.until_gone("missing_fill")
    until(lambda: stand.account().is_reconciled, "books that agree")
    (fill,) = [one for one in stand.books()["fills"] if one["order_id"] == stand.orders()[-1]["order_id"]]
    told = told_by_venue(stand)[told_before:]
    stand.thaw("executor")
    stand.trading()

    assert {one.event.reason for one in told} == {"absent_at_venue", "told_by_venue"}
    assert all("the executor is gone for good" in one.evidence for one in told)
    assert stand.position(fill["product_id"]) == Decimal(fill["size"])
    assert any(isinstance(one, records.InquiryEnded) for one in stand.journal())
