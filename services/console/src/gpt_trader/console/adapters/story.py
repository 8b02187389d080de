"""A chain told on one page, from the market to the money."""

from collections.abc import Iterator

from gpt_trader.console.adapters.screen import clock, money, plain
from gpt_trader.console.domain.chain import Chain
from gpt_trader.contracts.decisions import CheckResult, Decision, Outcome, SizingStep

_MARKS = {Outcome.PASSED: "ok  ", Outcome.FAILED: "FAIL", Outcome.SKIPPED: "n/a "}


def story(chain: Chain) -> str:
    """Tell what was seen, asked, judged, sent, done and earned."""
    return "\n".join(
        [*_asked(chain.decision), *_stepped(chain), *_judged(chain.decision), *_sent(chain), *_done(chain)]
    )


def _stepped(chain: Chain) -> Iterator[str]:
    for one in chain.steps:
        mark = ">" if one is chain.decision else " "
        price = "no price" if one.limit_price is None else plain(one.limit_price)
        what = f"{plain(one.quantity)} @ {price}"
        refused = ", ".join(found.rule for found in one.failures)
        told = f"{clock(one.decided_at)}  {one.verdict}  {what}  {one.decision_id}  {refused}"
        yield f"STEP {one.step} {mark}{told.rstrip()}"


def _asked(decision: Decision) -> Iterator[str]:
    signal, tick = decision.signal, decision.market.tick
    yield f"SIGNAL   {signal.signal_id}"
    yield f"  {clock(signal.created_at)}  {signal.strategy} asks to {signal.action} ({signal.side}) {signal.product}"
    yield f"  reason: {signal.reason}   confidence {plain(signal.confidence)}   parameters {signal.parameters_version}"
    prices = {"reference": signal.reference_price, "stop": signal.stop_price, "target": signal.target_price}
    yield "  " + "   ".join(f"{name} {plain(price)}" for name, price in prices.items() if price is not None)
    if signal.evidence:
        yield "  evidence: " + ", ".join(f"{name}={value}" for name, value in sorted(signal.evidence.items()))
    yield f"  caused by {signal.caused_by}"
    if tick is not None:
        sides = (
            f"bid {plain(tick.bid)} x {plain(tick.bid_quantity)}   ask {plain(tick.ask)} x {plain(tick.ask_quantity)}"
        )
        yield f"MARKET   {sides}   last {plain(tick.last_price)}   tick {tick.sequence} at {clock(tick.occurred_at)}"


def _judged(decision: Decision) -> Iterator[str]:
    place = f"record {decision.sequence}, epoch {decision.epoch}, policy {decision.policy_version}"
    yield f"DECISION {decision.decision_id}  {place}"
    yield f"  {clock(decision.decided_at)}  {decision.verdict.upper()} while {decision.trading_state}"
    yield from (f"  {_line(check)}" for check in decision.checks)
    if decision.sizing:
        yield "  size:"
        yield from (f"    {_sized(step)}" for step in decision.sizing)
    if decision.account:
        yield "  account: " + ", ".join(f"{name}={value}" for name, value in sorted(decision.account.items()))
    yield f"  hash {decision.hash} after {decision.previous_hash}"


def _sized(step: SizingStep) -> str:
    factor = "" if step.factor is None else f" x {step.factor}"
    detail = f"   ({step.detail})" if step.detail else ""
    return f"{step.step:<18} {money(step.notional):>14}{factor}{detail}"


def _line(check: CheckResult) -> str:
    detail = f"   {check.detail}" if check.detail else ""
    return (
        f"{_MARKS[check.outcome]} {check.check:<4} {check.rule:<42} {check.value} / {check.limit} {check.unit}{detail}"
    )


def _sent(chain: Chain) -> Iterator[str]:
    intent = chain.intent
    if intent is None:
        yield "ORDER    none: nothing was sent to the venue"
        return
    validity = f"valid {clock(intent.approved_at)} to {clock(intent.expires_at)}"
    yield f"APPROVED {intent.intent_id}  {intent.purpose}, {validity}"
    yield f"  body {intent.body}"
    yield f"  sha256 {intent.body_sha256}   epoch {intent.epoch}   stream sequence {intent.stream_sequence}"


def _done(chain: Chain) -> Iterator[str]:
    for event in chain.orders:
        reason = f"   {event.reason}" if event.reason else ""
        venue = f"   venue order {event.venue_order_id}" if event.venue_order_id else ""
        progress = f"{plain(event.filled_quantity)} of {plain(event.quantity)}"
        yield f"ORDER    {clock(event.occurred_at)}  {event.status}  {progress}{venue}{reason}"
    for fill in chain.fills:
        yield (
            f"FILL     {clock(fill.occurred_at)}  {fill.side} {plain(fill.quantity)} @ {plain(fill.price)}   "
            f"fee {money(fill.fee)} {fill.fee_currency}   {fill.liquidity}   {fill.fill_id}"
        )
    if chain.fills:
        yield f"MONEY    cash flow {money(chain.cash_flow)} after fees"
    if chain.realized is not None:
        yield f"PROFIT   {money(chain.realized)} realized over the average cost of what was held, after fees"
