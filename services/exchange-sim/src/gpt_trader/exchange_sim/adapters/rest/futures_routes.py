"""The venue's `/cfm` routes; closed to everybody on a venue that lists no futures."""

from collections.abc import Callable

from gpt_trader.exchange_sim.adapters.futures_render import position_json, summary_rest
from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.rest.bodies import MarginSettingBody, SweepBody
from gpt_trader.exchange_sim.adapters.rest.market_routes import PREFIX
from gpt_trader.exchange_sim.adapters.rest.wire import (
    Call,
    Json,
    Refused,
    Reply,
    Route,
    amount_of,
    invalid,
    timestamp,
)
from gpt_trader.exchange_sim.domain.desk import USD
from gpt_trader.exchange_sim.domain.margin import Exposure
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, ZERO

_PROFILES = frozenset({"", "MARGIN_PROFILE_TYPE_RETAIL_REGULAR", "MARGIN_PROFILE_TYPE_RETAIL_INTRADAY_MARGIN_1"})


def futures_routes() -> list[Route]:
    """List the routes about US futures."""
    view, trade, transfer = Scope.VIEW, Scope.TRADE, Scope.TRANSFER
    table = (
        ("GET", "/cfm/balance_summary", view, _summary),
        ("GET", "/cfm/positions", view, _positions),
        ("GET", "/cfm/positions/{product_id}", view, _position),
        ("GET", "/cfm/sweeps", view, _sweeps),
        ("POST", "/cfm/sweeps/schedule", transfer, _schedule_sweep),
        ("DELETE", "/cfm/sweeps", transfer, _cancel_sweep),
        ("GET", "/cfm/intraday/margin_setting", view, _setting),
        ("POST", "/cfm/intraday/margin_setting", trade, _choose_setting),
        ("GET", "/cfm/intraday/current_margin_window", view, _window),
    )
    return [
        Route(method=method, path=PREFIX + path, scope=scope, answer=_offered(answer))
        for method, path, scope, answer in table
    ]


def _offered(answer: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
    def offer(call: Call) -> Reply:
        if call.floor.venue.day.is_idle:
            raise Refused(403, "PERMISSION_DENIED", "User does not have the correct permissions")
        return answer(call)

    return offer


def _summary(call: Call) -> Reply:
    return Reply(body={"balance_summary": summary_rest(call.floor.venue.desk.account(CUSTOMER))})


def _positions(call: Call) -> Reply:
    account = call.floor.venue.desk.account(CUSTOMER)
    return Reply(body={"positions": [_rendered(call, exposure) for exposure in account.exposures]})


def _position(call: Call) -> Reply:
    for exposure in call.floor.venue.desk.account(CUSTOMER).exposures:
        if exposure.product_id == call.path["product_id"]:
            return Reply(body={"position": _rendered(call, exposure)})
    raise Refused(404, "NOT_FOUND", "position for this product was not found")


def _rendered(call: Call, exposure: Exposure) -> Json:
    desk = call.floor.venue.desk
    return position_json(desk.account(CUSTOMER), exposure, desk)


def _sweeps(call: Call) -> Reply:
    sweep = call.floor.venue.day.sweep
    if sweep is None:
        return Reply(body={"sweeps": []})
    row = {
        "id": sweep.sweep_id,
        "requested_amount": amount_of(sweep.amount or ZERO, USD),
        "should_sweep_all": sweep.amount is None,
        "status": sweep.status(call.now).value,
        "schedule_time": timestamp(sweep.begins_at),
    }
    return Reply(body={"sweeps": [row]})


def _schedule_sweep(call: Call) -> Reply:
    amount = call.body(SweepBody).usd_amount
    venue = call.floor.venue
    reason = venue.day.request_sweep(venue.id_of("sweep", call.now.isoformat()), amount or None, call.now)
    if reason is not None:
        raise invalid(reason)
    return Reply(body={"success": True})


def _cancel_sweep(call: Call) -> Reply:
    return Reply(body={"success": call.floor.venue.day.cancel_sweep(call.now)})


def _setting(call: Call) -> Reply:
    return Reply(body={"setting": call.floor.venue.desk.setting.value})


def _choose_setting(call: Call) -> Reply:
    call.floor.venue.desk.choose(call.body(MarginSettingBody).setting)
    return Reply(body={})


def _window(call: Call) -> Reply:
    profile = call.query.get("margin_profile_type", "")
    if profile not in _PROFILES:
        raise invalid(f"margin_profile_type: {profile!r} is not supported")
    venue = call.floor.venue
    return Reply(
        body={
            "margin_window": {
                "margin_window_type": venue.desk.window.value,
                "end_time": timestamp(venue.day.window_ends),
            },
            "is_intraday_margin_killswitch_enabled": False,
            "is_intraday_margin_enrollment_killswitch_enabled": False,
        }
    )
