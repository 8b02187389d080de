"""When a strategy may ask for a trade, what it asks for, and that the same inputs always give the same answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts import ids
from gpt_trader.contracts.account import AccountSnapshot, Cause, OpenOrder, Position, TradingState, TradingStatus
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import Candle, CandleOrigin, ProductSpec, Tick, Tier, Universe
from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.proposals import Parameters
from gpt_trader.contracts.signals import Action, NoTrade, Side, Signal
from gpt_trader.strategy.domain.cycle import Idle
from gpt_trader.strategy.domain.evolve import begin, evolve
from gpt_trader.strategy.domain.exits import exit_reason
from gpt_trader.strategy.domain.inputs import Input, Kill, KillReset, Pulse
from gpt_trader.strategy.domain.parameters import ParametersOutOfBounds, StrategyParameters, adopt, version_of
from gpt_trader.strategy.domain.reversion import REVERSION, ReversionParameters
from gpt_trader.strategy.domain.setup import Assignment, Setup, Strategies, UnknownStrategy
from gpt_trader.strategy.domain.state import Output, ParametersAdopted, ParametersRefused, State
from gpt_trader.strategy.domain.strategy import Choice, Decision, Holding, Strategy, View
from gpt_trader.strategy.domain.trend import TREND, TrendParameters

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PRODUCT = "BTC-USD"


class ScriptedParameters(StrategyParameters):
    threshold: Decimal = Decimal(100)


@dataclass(frozen=True)
class LastClose:
    close: Decimal | None = None


def scripted_decision(view: View[LastClose], parameters: ScriptedParameters, now: datetime) -> Decision:
    del now
    if view.candle.close > parameters.threshold:
        stop, target = view.candle.close * Decimal("0.95"), view.candle.close * Decimal("1.1")
        return Decision(
            choice=Choice.ENTER, reason="above", confidence=Decimal("0.7"), stop_price=stop, target_price=target
        )
    if view.candle.close < parameters.threshold:
        return Decision(choice=Choice.EXIT, reason="below")
    return Decision(choice=Choice.WAIT, reason="level")


def scripted(name: str) -> Strategy[ScriptedParameters, LastClose]:
    """Enters above the threshold, exits below it."""
    return Strategy(
        name=name,
        parameters=ScriptedParameters,
        begin=lambda _: LastClose(),
        observe=lambda _, candle: LastClose(candle.close),
        is_warm=lambda seen: seen.close is not None,
        decide=scripted_decision,
    )


STRATEGIES: Strategies = {
    "first": scripted("first"),
    "second": scripted("second"),
    "trend": TREND,
    "mean-reversion": REVERSION,
}


def a_candle(minute: int, close: str | Decimal, product: str = PRODUCT) -> Candle:
    price = Decimal(close)
    start = START + minute * MINUTE
    return Candle(
        product=product, interval="1m", start=start, open=price, high=price, low=price, close=price,
        volume=Decimal(1), origin=CandleOrigin.STREAM, published_at=start + MINUTE,
    )  # fmt: skip


def a_tick(at: datetime, bid: str, sequence: int = 1) -> Tick:
    price = Decimal(bid)
    return Tick(
        product=PRODUCT, bid=price, ask=price + 1, bid_quantity=Decimal(1), ask_quantity=Decimal(1),
        last_price=price, sequence=sequence, occurred_at=at, received_at=at,
    )  # fmt: skip


def trading(status: TradingStatus = TradingStatus.ACTIVE, *causes: Cause) -> TradingState:
    return TradingState(
        status=status, causes=causes, epoch=1, sequence=1, creates_in_flight=0, decisions=0,
        records=0, head_hash=GENESIS_HASH, published_at=START,
    )  # fmt: skip


def a_position(strategy: str = "first", entry: str = "101", **changed: object) -> Position:
    position = Position(
        product=PRODUCT, quantity=Decimal(1), average_entry_price=Decimal(entry), mark=None,
        unrealized_pnl=Decimal(0), realized_pnl=Decimal(0), fees=Decimal(0), strategy=strategy,
        stop_price=None, target_price=None, opened_at=START,
    )  # fmt: skip
    return position.model_copy(update=changed)


def an_account(*positions: Position, orders: tuple[OpenOrder, ...] = ()) -> AccountSnapshot:
    nothing = Decimal(0)
    return AccountSnapshot(
        equity=Decimal(1000), cash=(), positions=positions, open_orders=orders, exposure=nothing,
        worst_case_exposure=nothing,
        net_exposure=nothing, cluster_exposures={}, correlated_exposure=nothing,
        realized_pnl=nothing, unrealized_pnl=nothing, fees=nothing,
        day_start_equity=Decimal(1000), day_pnl=nothing, peak_equity=Decimal(1000), drawdown=nothing, fills=0,
        is_reconciled=True, published_at=START,
    )  # fmt: skip


def an_order(purpose: Purpose, side: Side) -> OpenOrder:
    return OpenOrder(
        client_order_id=ids.ClientOrderId("c"), venue_order_id=None, product=PRODUCT, side=side, purpose=purpose,
        quantity=Decimal(1), filled_quantity=Decimal(0), limit_price=Decimal(100), status=OrderStatus.OPEN,
    )  # fmt: skip


def a_setup(*names: str, **changed: object) -> Setup:
    given_names = names or ("first",)
    assignments = tuple(Assignment(strategy=name, products=(PRODUCT,)) for name in given_names)
    return Setup(assignments=assignments).model_copy(update=changed)


def ready(*names: str, account: AccountSnapshot | None = None) -> State:
    state = begin(a_setup(*names), STRATEGIES)
    state, _ = evolve(state, trading(), START)
    return evolve(state, account or an_account(), START)[0]


def run(state: State, *events: tuple[Input, datetime]) -> tuple[State, list[Output]]:
    said: list[Output] = []
    for event, now in events:
        state, outputs = evolve(state, event, now)
        said += outputs
    return state, said


def closed(minute: int, close: str) -> tuple[Candle, datetime]:
    """Return a candle and the time one second after it closed."""
    return a_candle(minute, close), START + (minute + 1) * MINUTE + timedelta(seconds=1)


def only(outputs: Iterable[Output]) -> Output:
    (output,) = outputs
    return output


def idle_of(outputs: Iterable[Output]) -> str:
    output = only(outputs)
    assert isinstance(output, NoTrade)
    return str(output.evidence["code"])


def signal_of(outputs: Iterable[Output]) -> Signal:
    output = only(outputs)
    assert isinstance(output, Signal)
    return output


def test_an_entry_carries_stop_target_confidence_version_and_an_expiry_in_trading_time() -> None:
    candle, now = closed(0, "101")

    signal = signal_of(run(ready(), (candle, now))[1])

    assert (signal.action, signal.side, signal.strategy) == (Action.ENTER, Side.BUY, "first")
    assert signal.stop_price is not None
    assert signal.target_price is not None
    assert signal.stop_price < signal.reference_price < signal.target_price
    assert signal.confidence == Decimal("0.7")
    assert signal.parameters_version == version_of(ScriptedParameters())
    assert signal.expires_at == now + timedelta(seconds=30)


def test_a_signal_is_named_by_its_cause_so_that_a_restart_repeats_it() -> None:
    candle, now = closed(0, "101")

    signal = signal_of(run(ready(), (candle, now))[1])
    after_restart = signal_of(run(ready(), (candle, now + timedelta(seconds=9)))[1])

    assert signal.caused_by == f"candle:1m:{candle.start.isoformat()}"
    assert signal.signal_id == ids.signal_id("first", PRODUCT, "enter", signal.caused_by) == after_restart.signal_id


def test_nothing_is_decided_before_state_account_and_candles_were_seen() -> None:
    candle, now = closed(0, "101")
    blank = begin(a_setup(), STRATEGIES)
    with_state, _ = evolve(blank, trading(), now)
    with_account, _ = evolve(with_state, an_account(), now)

    assert idle_of(evolve(blank, candle, now)[1]) == Idle.NO_TRADING_STATE
    assert idle_of(evolve(with_state, candle, now)[1]) == Idle.NO_ACCOUNT
    assert idle_of(evolve(with_account, Pulse(), now)[1]) == Idle.WARMING_UP
    assert isinstance(only(evolve(with_account, candle, now)[1]), Signal)


def test_candles_older_than_one_and_a_half_intervals_stop_signals() -> None:
    candle = a_candle(0, "101")
    at_the_limit = START + MINUTE + timedelta(seconds=90)

    assert isinstance(only(evolve(ready(), candle, at_the_limit)[1]), Signal)
    assert idle_of(evolve(ready(), candle, at_the_limit + timedelta(microseconds=1))[1]) == Idle.STALE_CANDLES


def test_silence_of_the_market_is_explained_without_any_candle() -> None:
    state, _ = run(ready(), closed(0, "100"))

    assert idle_of(run(state, (Pulse(), START + 10 * MINUTE))[1]) == Idle.STALE_CANDLES


def test_a_kill_stops_exits_too_until_the_gate_halted_and_then_trades_again() -> None:
    state = ready(account=an_account(a_position()))
    state, _ = run(state, closed(0, "101"), (Kill(), START + MINUTE))
    fall = a_tick(START + 2 * MINUTE, "50")

    state, said = run(state, (trading(), START + MINUTE), (fall, START + 2 * MINUTE))
    assert said == []
    state, said = run(state, closed(1, "50"))
    assert idle_of(said) == Idle.KILLED
    state, said = run(state, (trading(TradingStatus.HALTED), START + 2 * MINUTE), closed(2, "50"))
    assert idle_of(said) == Idle.KILLED
    state, said = run(state, (trading(), START + 3 * MINUTE), closed(3, "50"))
    assert signal_of(said).action is Action.EXIT


def test_an_operators_reset_lets_the_next_trading_state_end_a_kill() -> None:
    state, _ = run(ready(), (Kill(), START), (KillReset(), START))

    assert idle_of(run(state, closed(0, "101"))[1]) == Idle.KILLED
    assert signal_of(run(state, (trading(), START), closed(0, "101"))[1]).action is Action.ENTER


def test_a_halt_stops_all_decisions() -> None:
    state, _ = run(ready(account=an_account(a_position())), (trading(TradingStatus.HALTED), START))

    assert idle_of(run(state, closed(0, "50"))[1]) == Idle.HALTED
    assert run(state, (a_tick(START, "50"), START))[1] == []


@pytest.mark.parametrize("status", [TradingStatus.REDUCE_ONLY, TradingStatus.PAUSED])
def test_blocked_entries_leave_exits_alone(status: TradingStatus) -> None:
    flat, _ = run(ready(), (trading(status), START))
    held, _ = run(ready(account=an_account(a_position())), (trading(status), START))

    assert idle_of(run(flat, closed(0, "101"))[1]) == Idle.ENTRIES_BLOCKED
    assert signal_of(run(held, closed(0, "99"))[1]).action is Action.EXIT


def test_a_pause_of_another_product_or_one_that_ended_blocks_nothing() -> None:
    def paused(product: str, until: datetime) -> TradingState:
        cause = Cause(code="p", status=TradingStatus.PAUSED, detail="", product=product, since=START, until=until)
        return trading(TradingStatus.PAUSED, cause)

    later = START + timedelta(hours=1)

    assert signal_of(run(ready(), (paused("ETH-USD", later), START), closed(0, "101"))[1])
    assert signal_of(run(ready(), (paused(PRODUCT, START), START), closed(0, "101"))[1])
    assert idle_of(run(ready(), (paused(PRODUCT, later), START), closed(0, "101"))[1]) == Idle.ENTRIES_BLOCKED


def test_exits_come_before_entries_even_when_the_strategy_wants_in() -> None:
    state = ready(account=an_account(a_position(entry="200", stop_price=Decimal(150))))

    signal = signal_of(run(state, closed(0, "140"))[1])

    assert (signal.action, signal.side) == (Action.EXIT, Side.SELL)
    assert signal.reason.startswith("stop")


def test_an_opposite_signal_closes_the_position_at_the_candle() -> None:
    signal = signal_of(run(ready(account=an_account(a_position())), closed(0, "99"))[1])

    assert signal.reason == "opposite signal: below"
    assert signal.confidence == 1


def test_a_held_position_is_not_entered_again() -> None:
    assert idle_of(run(ready(account=an_account(a_position())), closed(0, "102"))[1]) == Idle.HOLDING


def test_a_position_of_another_strategy_is_left_to_it() -> None:
    state = ready("first", "second", account=an_account(a_position("second")))

    _, said = run(state, closed(0, "99"))

    first, second = said
    assert isinstance(first, NoTrade)
    assert first.evidence["code"] == Idle.HELD_ELSEWHERE
    assert isinstance(second, Signal)
    assert second.strategy == "second"


def test_a_position_nobody_opened_is_only_touched_by_a_strategy_that_was_told_to() -> None:
    account = an_account(a_position("opened"))
    adopting = Setup(assignments=(Assignment(strategy="first", products=(PRODUCT,), adopts_positions=True),))
    state, _ = run(begin(adopting, STRATEGIES), (trading(), START), (account, START))

    assert idle_of(run(ready(account=account), closed(0, "99"))[1]) == Idle.HELD_ELSEWHERE
    assert signal_of(run(state, closed(0, "99"))[1]).action is Action.EXIT


def test_two_strategies_do_not_enter_one_product_on_the_same_candle() -> None:
    _, said = run(ready("first", "second"), closed(0, "101"))

    assert isinstance(said[0], Signal)
    assert idle_of(said[1:]) == Idle.ENTRY_REQUESTED


def test_an_entry_is_asked_again_only_after_the_first_request_expired() -> None:
    state = ready()
    fast = state.setup.model_copy(update={"signal_ttl": timedelta(seconds=90)})

    _, said = run(replace(state, setup=fast), closed(0, "101"), closed(1, "101"), closed(2, "101"))

    assert [type(output) for output in said] == [Signal, NoTrade, Signal]


def test_an_open_order_blocks_a_second_entry_and_a_second_exit_but_a_resting_stop_blocks_no_exit() -> None:
    entering = an_account(orders=(an_order(Purpose.ENTRY, Side.BUY),))
    leaving = an_account(a_position(), orders=(an_order(Purpose.EXIT, Side.SELL),))
    protected = an_account(a_position(), orders=(an_order(Purpose.PROTECTIVE, Side.SELL),))

    assert idle_of(run(ready(account=entering), closed(0, "101"))[1]) == Idle.ORDER_OPEN
    assert idle_of(run(ready(account=leaving), closed(0, "99"))[1]) == Idle.ORDER_OPEN
    assert signal_of(run(ready(account=protected), closed(0, "99"))[1]).action is Action.EXIT


def test_a_tick_through_the_stop_asks_once_per_time_to_live() -> None:
    state = ready(account=an_account(a_position(stop_price=Decimal(95))))
    seconds = [START + timedelta(seconds=second) for second in (0, 1, 29, 30)]

    _, said = run(state, *((a_tick(at, "94", sequence), at) for sequence, at in enumerate(seconds)))

    first, again = said
    assert isinstance(first, Signal)
    assert isinstance(again, Signal)
    assert first.signal_id != again.signal_id
    assert again.created_at == seconds[-1]


def test_ticks_enter_nothing_and_old_ticks_exit_nothing() -> None:
    held = ready(account=an_account(a_position(stop_price=Decimal(95))))

    assert run(ready(), closed(0, "100"), (a_tick(START + MINUTE, "150"), START + MINUTE))[1][1:] == []
    assert run(held, (a_tick(START, "94"), START + timedelta(seconds=31)))[1] == []


def test_stale_candles_do_not_take_the_stop_away() -> None:
    state, _ = run(ready(account=an_account(a_position(stop_price=Decimal(95)))), closed(0, "101"))
    later = START + timedelta(hours=1)

    assert signal_of(run(state, (a_tick(later, "94"), later))[1]).action is Action.EXIT


def test_the_trailing_stop_follows_the_highest_bid_since_entry() -> None:
    state = ready(account=an_account(a_position(target_price=Decimal(200))))
    prices = ["110", "120", "117", "116.4"]

    _, said = run(state, *((a_tick(START, bid, sequence), START) for sequence, bid in enumerate(prices)))

    signal = signal_of(said)
    assert signal.reason.startswith("trailing stop")
    assert signal.reference_price == Decimal("116.4")


def test_a_peak_made_before_a_restart_is_read_off_the_candles() -> None:
    flat = ready("first")
    warm, _ = run(flat, closed(0, "100"), closed(1, "130"), closed(2, "127"))
    held, _ = run(warm, (an_account(a_position(target_price=Decimal(200))), START + 3 * MINUTE))

    now = START + 3 * MINUTE
    signal = signal_of(run(held, (a_tick(now, "126"), now))[1])

    assert "peak 130" in signal.reason


HOLDING = Holding(
    quantity=Decimal(1), entry_price=Decimal(100), stop_price=None, target_price=None, opened_at=START,
    peak=Decimal(100),
)  # fmt: skip


@pytest.mark.parametrize(
    ("price", "reason"),
    [("92", "stop"), ("92.01", None), ("115", "target"), ("114.99", None)],
)
def test_without_own_levels_the_caps_of_8_and_15_percent_hold(price: str, reason: str | None) -> None:
    found = exit_reason(HOLDING, Decimal(price), StrategyParameters(), START)

    assert (found is None) == (reason is None)
    assert found is None or found.startswith(str(reason))


def test_a_position_is_closed_when_its_time_is_up() -> None:
    longest = START + timedelta(minutes=240)

    assert exit_reason(HOLDING, Decimal(100), StrategyParameters(), longest - timedelta(seconds=1)) is None
    assert str(exit_reason(HOLDING, Decimal(100), StrategyParameters(), longest)).startswith("time stop")


def test_the_stop_is_named_before_every_other_reason_that_also_holds() -> None:
    all_due = replace(HOLDING, stop_price=Decimal(120), target_price=Decimal(90), peak=Decimal(200))

    reason = exit_reason(all_due, Decimal(100), StrategyParameters(), START + timedelta(days=9))

    assert str(reason).startswith("stop")


def test_repeated_late_corrected_and_future_candles_change_nothing() -> None:
    state, _ = run(ready(), closed(5, "100"))
    now = START + 6 * MINUTE
    correction = a_candle(6, "101").model_copy(update={"origin": CandleOrigin.CORRECTION})

    for candle in (a_candle(5, "150"), a_candle(3, "150"), correction, a_candle(60, "150")):
        assert run(state, (candle, now)) == (state, [])


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownStrategy, match=r"'hodl' is not registered; known: first, mean-reversion, second, trend"):
        begin(a_setup("hodl"), STRATEGIES)


def test_a_strategy_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="listed twice"):
        begin(a_setup("first", "first"), STRATEGIES)


def test_bad_parameters_in_the_settings_are_refused_with_name_value_and_bound() -> None:
    bad = Setup(assignments=(Assignment(strategy="trend", parameters={"fast": Decimal(900)}),))

    with pytest.raises(ParametersOutOfBounds, match=r"fast=900: Input should be less than or equal to 200"):
        begin(bad, STRATEGIES)


def parameters_of(strategy: str, values: Mapping[str, Decimal]) -> Parameters:
    return Parameters(strategy=strategy, version="p1", values=dict(values), adopted_at=START)


def test_parameters_are_adopted_at_run_time_and_named_in_the_next_decision() -> None:
    state, said = run(ready(), (parameters_of("first", {"threshold": Decimal(50)}), START))
    expected = version_of(ScriptedParameters(threshold=Decimal(50)))

    assert said == [ParametersAdopted(strategy="first", version=expected)]
    assert signal_of(run(state, closed(0, "60"))[1]).parameters_version == expected


@pytest.mark.parametrize(
    "values", [{"stop_loss": Decimal(2)}, {"thresold": Decimal(1)}, {"trail": Decimal(0)}, {"stop_atr": Decimal(-1)}]
)
def test_parameters_out_of_bounds_are_refused_and_change_nothing(values: Mapping[str, Decimal]) -> None:
    state = ready()

    after, said = run(state, (parameters_of("first", values), START))

    refusal = only(said)
    assert isinstance(refusal, ParametersRefused)
    assert next(iter(values)) in refusal.reason
    assert after == state


def test_parameters_of_a_strategy_that_does_not_run_here_are_none_of_our_business() -> None:
    assert run(ready(), (parameters_of("other", {"x": Decimal(1)}), START)) == (ready(), [])


def test_changed_periods_are_warm_at_once() -> None:
    state = begin(a_setup("trend"), STRATEGIES)
    for minute in range(60):
        state, _ = evolve(state, *closed(minute, str(100 + minute % 7)))

    changed, _ = evolve(state, parameters_of("trend", {"fast": Decimal(5)}), START)
    afresh, _ = evolve(begin(a_setup("trend"), STRATEGIES), parameters_of("trend", {"fast": Decimal(5)}), START)
    for minute in range(60):
        afresh, _ = evolve(afresh, *closed(minute, str(100 + minute % 7)))

    assert changed.lanes["trend", PRODUCT].indicators == afresh.lanes["trend", PRODUCT].indicators


def test_equal_values_have_one_version_and_other_values_another() -> None:
    written_differently = adopt(TrendParameters(), {"adx_min": Decimal("15.00"), "fast": Decimal(8)})

    assert version_of(written_differently) == version_of(TrendParameters())
    assert version_of(TrendParameters(fast=9)) != version_of(TrendParameters())


@pytest.mark.parametrize(
    ("parameters", "values", "reason"),
    [
        (TrendParameters(), {"fast": Decimal(21)}, "must be below slow"),
        (ReversionParameters(), {"rsi_entry": Decimal(70)}, "must be below rsi_exit"),
    ],
)
def test_values_that_contradict_each_other_are_refused(
    parameters: StrategyParameters, values: Mapping[str, Decimal], reason: str
) -> None:
    with pytest.raises(ParametersOutOfBounds, match=reason):
        adopt(parameters, values)


def a_universe(*products: str) -> Universe:
    def spec(product: str) -> ProductSpec:
        one = Decimal(1)
        return ProductSpec(
            product=product, base_currency=product.split("-", maxsplit=1)[0], quote_currency="USD", kind="spot",
            base_increment=one, price_increment=one, base_min_size=one, base_max_size=one, quote_min_size=one,
            is_disabled=False, is_cancel_only=False, is_limit_only=False, is_post_only=False, is_auction=False,
            tier=Tier.T1, volume_24h_notional=one,
        )  # fmt: skip

    return Universe(version=1, products=tuple(spec(product) for product in products), published_at=START)


def test_without_products_a_strategy_trades_the_universe_and_only_exits_what_left_it() -> None:
    everywhere = Setup(assignments=(Assignment(strategy="first"),))
    state, _ = run(
        begin(everywhere, STRATEGIES), (trading(), START), (an_account(), START), (a_universe(PRODUCT), START)
    )
    gone, _ = run(state, (a_universe("ETH-USD"), START))
    held, _ = run(gone, (an_account(a_position()), START))

    assert signal_of(run(state, closed(0, "101"))[1]).action is Action.ENTER
    assert set(gone.lanes) == {("first", PRODUCT), ("first", "ETH-USD")}
    assert idle_of(run(gone, closed(0, "101"))[1]) == Idle.NOT_IN_UNIVERSE
    assert signal_of(run(held, closed(0, "99"))[1]).action is Action.EXIT


def test_shards_share_the_products_and_each_has_its_own_alone() -> None:
    named = (Assignment(strategy="first"), Assignment(strategy="second", products=(PRODUCT, "ETH-USD")))
    products = {PRODUCT, "ETH-USD", "SOL-USD", "XRP-USD"}

    def lanes(index: int, count: int) -> set[tuple[str, str]]:
        setup = Setup(assignments=named, shard_index=index, shard_count=count)
        state, _ = run(begin(setup, STRATEGIES), (a_universe(*products), START))
        return set(state.lanes)

    assert lanes(0, 1) == {("first", product) for product in products} | {("second", PRODUCT), ("second", "ETH-USD")}
    assert lanes(0, 2) | lanes(1, 2) == lanes(0, 1)
    assert not lanes(0, 2) & lanes(1, 2)
    assert {product for _, product in lanes(0, 2)} == {"ETH-USD", "XRP-USD"}


MOVES = st.lists(st.integers(-300, 300), min_size=40, max_size=90)


def a_market(moves: list[int]) -> list[tuple[Input, datetime]]:
    """Candles and ticks of a random walk, with the account following the last signal's wish."""
    price = Decimal(10000)
    said: list[tuple[Input, datetime]] = [(trading(), START), (an_account(), START)]
    for minute, move in enumerate(moves):
        price += move
        now = START + (minute + 1) * MINUTE
        said.append((a_candle(minute, price), now))
        said.append((a_tick(now + timedelta(seconds=5), str(price + 7), minute), now + timedelta(seconds=5)))
        if minute % 20 == 10:
            held = () if minute % 40 == 30 else (a_position("mean-reversion", str(price)),)
            said.append((an_account(*held), now + timedelta(seconds=9)))
    return said


@given(MOVES)
def test_the_same_inputs_give_the_same_outputs_bit_for_bit(moves: list[int]) -> None:
    def encoded() -> list[bytes]:
        state = begin(a_setup("trend", "mean-reversion"), STRATEGIES)
        _, said = run(state, *a_market(moves))
        return [one.encode() for one in said if isinstance(one, Signal | NoTrade)]

    assert encoded() == encoded()


@given(MOVES)
def test_every_signal_is_complete_and_every_candle_is_answered(moves: list[int]) -> None:
    _, said = run(begin(a_setup("trend", "mean-reversion"), STRATEGIES), *a_market(moves))

    answered = [one for one in said if isinstance(one, NoTrade) or one.caused_by.startswith("candle")]  # type: ignore[union-attr]
    assert len(answered) == 2 * len(moves)
    for signal in (one for one in said if isinstance(one, Signal)):
        assert 0 <= signal.confidence <= 1
        assert signal.expires_at > signal.created_at
        if signal.action is Action.ENTER:
            assert signal.stop_price is not None
            assert signal.target_price is not None
            assert signal.reference_price * Decimal("0.9") < signal.stop_price < signal.target_price
        else:
            assert signal.side is Side.SELL
