"""How much: a share of equity by tier and measured edge, scaled, under every cap; each step is recorded."""

from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.contracts.decisions import MarketStatistics, SizingStep
from gpt_trader.contracts.market import ProductSpec, is_future
from gpt_trader.contracts.signals import Signal
from gpt_trader.risk_gate.domain.exposure import Exposure
from gpt_trader.risk_gate.domain.futures.margin import Margin
from gpt_trader.risk_gate.domain.groups import Grouped
from gpt_trader.risk_gate.domain.increments import ONE, ZERO, floor_to
from gpt_trader.risk_gate.domain.performance import Tally
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.scaling import (
    confidence_factor,
    kelly_fraction,
    regime_factor,
    usual_volume,
    volatility_factor,
)


@dataclass(frozen=True, slots=True)
class Sized:
    """A quantity on the product's increments and how it came about."""

    quantity: Decimal
    steps: tuple[SizingStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTerms:
    """What the size of an entry depends on besides the policy."""

    signal: Signal
    spec: ProductSpec
    unit_price: Decimal
    equity: Decimal
    exposure: Exposure
    grouped: Grouped
    cash: Decimal
    margin: Margin | None
    statistics: MarketStatistics | None
    tally: Tally


def size_entry(terms: EntryTerms, policy: Policy, left: Decimal | None = None) -> Sized:
    """Size an entry so that its worst case, fee included, stays under every cap.

    A cap that leaves nothing tradable is not applied here but left to its check, which then denies by name.
    `left` is what earlier orders of the same wish have not filled of what was approved for it: never more.
    """
    with_fee = ONE + policy.fee_rate
    unit_cost = terms.unit_price * with_fee
    least = max(terms.spec.base_min_size * unit_cost, terms.spec.quote_min_size * with_fee)
    steps = _scaled(terms, policy)
    notional = steps[-1].notional
    for step, cap in _caps(terms, policy, unit_cost):
        if least <= cap < notional:
            notional = cap
            steps.append(SizingStep(step, notional))
    quantity = floor_to(max(notional, ZERO) / unit_cost, terms.spec.base_increment)
    if left is not None and left < quantity:
        quantity = floor_to(left, terms.spec.base_increment)
        steps.append(SizingStep("left", quantity * unit_cost))
    steps.append(SizingStep("rounded", quantity * unit_cost))
    return Sized(quantity, tuple(steps))


def _scaled(terms: EntryTerms, policy: Policy) -> list[SizingStep]:
    """Take the tier's share, or Kelly's if that is smaller, and multiply by what is known of wish and market."""
    fixed = policy.sizing.tier_fractions[terms.spec.tier]
    share, found = kelly_fraction(terms.tally, fixed, policy.kelly)
    notional = terms.equity * share
    steps = [
        SizingStep("tier", terms.equity * fixed, fixed, terms.spec.tier.value),
        SizingStep("kelly", notional, share, found),
    ]
    for step, (factor, detail) in (
        ("confidence", confidence_factor(terms.signal.confidence, policy.sizing.confidence_floor_fraction)),
        ("regime", regime_factor(terms.statistics, policy.scaling)),
        ("volatility", volatility_factor(terms.statistics, policy.scaling)),
    ):
        notional *= factor
        steps.append(SizingStep(step, notional, factor, detail))
    return steps


def _caps(terms: EntryTerms, policy: Policy, unit_cost: Decimal) -> tuple[tuple[str, Decimal], ...]:
    product, held = terms.spec.product, terms.exposure.of(terms.spec.product)
    equity, limits, exposure = terms.equity, policy.limits, policy.exposure
    groups = terms.grouped
    caps = [
        ("per_asset", equity * exposure.per_asset_fraction - held),
        ("total_at_risk", equity * exposure.total_fraction - terms.exposure.total),
        ("position_limit", limits.max_position_notional - held),
        ("order_limit", limits.max_order_notional),
        ("order_share", equity * limits.order_fraction),
        ("volume", usual_volume(terms.statistics, terms.spec) * limits.volume_fraction),
        ("profile_notional", policy.sizing.max_entry_notional),
        *_means(terms, policy),
        ("cluster", equity * groups.fraction - groups.cluster),
        ("correlated", equity * exposure.correlated_fraction - groups.correlated),
    ]
    most = policy.sizing.max_quantities.get(product)
    if most is not None:
        caps.append(("profile_quantity", most * unit_cost))
    return tuple(caps)


def _means(terms: EntryTerms, policy: Policy) -> tuple[tuple[str, Decimal], ...]:
    """Name what it is paid from: dollars for spot; margin, leverage and the distance to liquidation for futures."""
    margin, product = terms.margin, terms.spec.product
    if margin is None or product not in margin.terms or not is_future(product):
        return (("cash", terms.cash),)
    limits, equity, fee = policy.futures, terms.equity, policy.fee_rate
    most = limits.max_leverage
    rate = margin.rate(product, terms.signal.side)
    kept = limits.maintenance_fraction * (ONE + limits.buffer_fraction)
    return (
        ("futures_exposure", equity * limits.exposure_fraction - margin.notional),
        ("futures_position", equity * limits.position_fraction - terms.exposure.of(product)),
        (
            "futures_leverage",
            (margin.funds * most - margin.notional) / (ONE + most * fee),
        ),
        ("margin", terms.cash / (rate + fee)),
        ("liquidation_buffer", (margin.wallet - kept * margin.next_initial) / (kept * rate + fee)),
    )


def size_exit(
    position: Decimal, exits: Decimal, slice_quantity: Decimal | None, spec: ProductSpec, limit_price: Decimal
) -> Sized:
    """Size an exit: what is held minus what open exits may still take, or a slice of it; never more."""
    whole = max(abs(position) - exits, ZERO)
    steps = [SizingStep("position", whole * limit_price)]
    wanted = min(whole, spec.base_max_size)
    if slice_quantity is not None and slice_quantity < wanted:
        wanted = slice_quantity
        steps.append(SizingStep("slice", wanted * limit_price))
    quantity = floor_to(wanted, spec.base_increment)
    steps.append(SizingStep("rounded", quantity * limit_price))
    return Sized(quantity, tuple(steps))
