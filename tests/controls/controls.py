"""The controls of regulated markets that the product keeps (SEC 15c3-5, MiFID II RTS 6, FIA), and the tests of each."""

from dataclasses import dataclass

_CHECKS = "tests/scenarios/test_trip_checks.py::"
_PACE = "tests/scenarios/test_trip_pace.py::"
_SWEEPS = "tests/scenarios/test_trip_sweeps.py::"
_BOOKS = "tests/scenarios/test_trip_books.py::"
_STATISTICS = "tests/scenarios/test_trip_statistics.py::"
_MARKET = "tests/unit/market_data/"
_FAILURES = "tests/scenarios/test_failure_modes.py::"
_PROPERTIES = "tests/unit/risk_gate/test_gate_properties.py::"
_HOP = "tests/integration/egress/test_last_hop.py::"
_BUS = "tests/integration/bus_attack/test_bus_attack.py::"
_STREAMS = "tests/controls/test_controls_on_the_stand.py::"


@dataclass(frozen=True, slots=True)
class Control:
    """One row: its id, its rule, and the tests that prove it; without a test it is not proved."""

    name: str
    rule: str
    tests: tuple[str, ...]


CONTROLS: tuple[Control, ...] = (
    Control(
        "C01",
        "single mandatory path: nothing but the gate's approval reaches the venue",
        (
            _BUS + "test_publishing_on_foreign_subjects_reaches_nobody",
            _BUS + "test_answers_can_not_be_steered_to_a_foreign_subject",
            _HOP + "test_an_unapproved_body_never_leaves",
            _HOP + "test_one_changed_byte_is_another_body",
        ),
    ),
    Control(
        "C02",
        "pre-set capital threshold, open orders at their worst",
        (
            _PROPERTIES + "test_a_hundred_concurrent_signals_of_half_the_cap_give_two_approvals",
            _PROPERTIES + "test_a_reservation_is_kept_until_every_reported_fill_has_arrived",
            _CHECKS + "test_money_that_is_spent_buys_nothing_more",
        ),
    ),
    Control(
        "C03",
        "price collar, per order",
        (
            _CHECKS + "test_a_wish_that_is_wrong_in_one_thing_fails_for_that",
            _CHECKS + "test_an_order_that_walks_the_book_or_leaves_the_collar_is_denied",
        ),
    ),
    Control(
        "C04",
        "largest order value",
        (
            _CHECKS + "test_an_order_too_large_for_every_limit_is_denied_by_each_of_them_and_by_nothing_else",
            "tests/unit/risk_gate/test_gate_checks.py::test_a_notional_limit_holds_at_the_limit_and_not_below",
        ),
    ),
    Control(
        "C05",
        "largest order volume, exact increments",
        (
            _CHECKS + "test_sizes_follow_the_tier_the_caps_of_the_profile_and_the_increments",
            _PROPERTIES + "test_rounding_a_quantity_never_adds_risk",
            "tests/architecture/test_shape.py::test_money_code_has_no_float",
        ),
    ),
    Control(
        "C06",
        "largest message rate, a strategy that floods pauses; cancels are never held back",
        (
            _PACE + "test_trades_are_kept_apart_in_time",
            _PACE + "test_a_strategy_that_insists_on_denials_pauses_its_flood_is_a_sum_and_its_exits_go_on",
            _HOP + "test_cancels_and_exits_flow_while_entries_flood",
        ),
    ),
    Control(
        "C07",
        "a strategy that repeats too often is off until an operator resumes it",
        (_SWEEPS + "test_a_strategy_that_enters_too_often_is_off_until_it_is_resumed_also_over_a_restart",),
    ),
    Control(
        "C08",
        "no duplicative orders",
        (
            _CHECKS + "test_a_signal_that_comes_again_is_refused_for_ever",
            _STREAMS + "test_all_signals_over_again_make_no_intent",
        ),
    ),
    Control(
        "C09",
        "position, gross and cluster exposure",
        (
            _CHECKS + "test_entries_fill_a_limit_and_never_pass_it",
            _CHECKS + "test_an_order_too_large_for_every_limit_is_denied_by_each_of_them_and_by_nothing_else",
        ),
    ),
    Control(
        "C10",
        "open orders are few, and one of unknown fate blocks its product",
        (
            _CHECKS + "test_open_orders_of_ours_count_and_are_never_met",
            _CHECKS + "test_a_product_with_an_order_of_unknown_fate_takes_no_entry_and_the_others_do",
        ),
    ),
    Control(
        "C11",
        "losses restrict, then halt",
        (
            _SWEEPS + "test_a_loss_warns_then_goes_reduce_only_for_the_day_for_the_week_and_then_halts",
            _SWEEPS + "test_a_drawdown_warns_then_blocks_entries_until_an_operator_takes_note_of_it",
        ),
    ),
    Control(
        "C12",
        "market data must be reasonable",
        (
            _MARKET + "test_product_market.py::test_a_crossed_book_is_a_gap_and_is_never_published",
            _MARKET + "test_book.py::test_a_one_sided_book_has_no_best_and_no_depth",
            _STATISTICS + "test_a_market_that_makes_no_sense_is_not_entered",
            _STATISTICS + "test_a_price_that_left_its_last_minute_is_not_believed",
            _CHECKS + "test_each_tier_has_its_spread",
            _CHECKS + "test_a_feed_that_was_cut_denies_until_it_is_clean_again",
            _CHECKS + "test_a_stale_mark_denies_pauses_its_product_and_again_and_again_restricts_everything",
            _SWEEPS + "test_a_market_that_dries_up_against_its_own_median_takes_no_entries",
        ),
    ),
    Control(
        "C13",
        "only listed products",
        (
            _CHECKS + "test_a_product_outside_the_universe_is_not_entered",
            "tests/unit/risk_gate/test_gate_controls.py::test_no_product_that_is_not_listed_is_ever_entered",
        ),
    ),
    Control("C14", "no self-match", (_CHECKS + "test_open_orders_of_ours_count_and_are_never_met",)),
    Control(
        "C15",
        "kill: one decision cancels everything",
        (
            _SWEEPS + "test_a_kill_leaves_none_of_250_open_orders_though_cancels_fail_and_some_are_pending",
            "tests/e2e/test_kill.py::test_any_payload_kills_and_no_order_follows",
        ),
    ),
    Control(
        "C16",
        "each order is known to come from one strategy's signal",
        (_STREAMS + "test_each_order_at_the_venue_comes_from_one_signal",),
    ),
    Control(
        "C17",
        "dead man: nothing risky stays when gate or executor die",
        (
            _FAILURES + "test_while_the_gate_is_dead_nothing_can_be_sent_and_then_it_goes_on_where_it_was",
            _STREAMS + "test_whoever_dies_with_an_entry_in_flight_none_rests_at_the_venue",
            "tests/integration/executor/test_executor_happy_path.py::test_a_resting_order_is_canceled_when_the_gate_says_so",
        ),
    ),
    Control(
        "C18",
        "alerts within 5 s",
        (_SWEEPS + "test_a_kill_is_told_within_5_s_also_while_a_create_is_still_in_flight",),
    ),
    Control(
        "C19",
        "drop copy and reconciliation",
        (
            _BOOKS + "test_a_trade_made_elsewhere_halts_until_it_is_acknowledged_and_is_then_in_the_books",
            _BOOKS + "test_a_fill_that_nobody_reported_is_found_and_named_and_counted_once_it_is",
        ),
    ),
    Control(
        "C20",
        "restricted access",
        (
            _BUS + "test_nobody_connects_without_a_known_key",
            _BUS + "test_nobody_listens_where_it_may_not",
            "tests/e2e/test_secrets.py::test_only_the_gate_may_open_its_folder",
        ),
    ),
    Control(
        "C21",
        "the same version everywhere",
        (
            _STREAMS + "test_a_strategy_of_another_release_enters_nothing_until_it_runs_ours",
            _STREAMS + "test_a_heartbeat_that_the_gate_can_not_read_is_of_another_release",
            "tests/unit/risk_gate/test_gate_releases.py::test_one_of_another_release_is_reduce_only_until_all_were_heard_alike",
        ),
    ),
    Control(
        "C22",
        "a guard that trips changes the state",
        (
            _SWEEPS + "test_a_market_that_moves_too_far_within_5_minutes_takes_no_entries",
            _CHECKS + "test_a_stale_mark_denies_pauses_its_product_and_again_and_again_restricts_everything",
        ),
    ),
    Control(
        "C23",
        "hard block on the aggregate",
        (_CHECKS + "test_an_order_too_large_for_every_limit_is_denied_by_each_of_them_and_by_nothing_else",),
    ),
    Control(
        "C24",
        "never insensitive to price",
        (
            _CHECKS + "test_an_exit_does_not_cross_a_broken_book",
            _CHECKS + "test_a_thin_book_carries_no_entry",
            _STREAMS + "test_a_flatten_slices_into_a_thin_book_and_waits_where_the_book_is_gone",
        ),
    ),
    Control(
        "C25",
        "too much filled at once pauses",
        (
            _SWEEPS + "test_too_much_filled_within_a_second_pauses_the_product",
            _SWEEPS + "test_too_many_fills_within_a_second_pause_the_product",
        ),
    ),
    Control(
        "C26",
        "stress: 50 signals a second for 10 s; make bench is the long form",
        (_STREAMS + "test_a_burst_of_signals_on_moving_markets_loses_none_and_costs_no_memory",),
    ),
    Control(
        "C27",
        "orderly shutdown",
        (
            "tests/integration/executor/test_executor_happy_path.py::test_sigterm_cancels_open_entries_leaves_exits_reports_and_exits_cleanly",
            _HOP + "test_a_stopping_egress_waits_for_what_has_left",
        ),
    ),
    Control(
        "C28", "every control has a report", ("tests/controls/test_controls_table.py::test_every_control_stands_once",)
    ),
    Control(
        "C29",
        "no permit while the clocks differ",
        (
            _FAILURES + "test_a_gate_whose_clock_is_3_s_off_the_venues_gives_no_permit",
            _FAILURES + "test_a_clock_that_is_set_while_the_gate_runs_stops_entries_until_it_is_right",
        ),
    ),
)
