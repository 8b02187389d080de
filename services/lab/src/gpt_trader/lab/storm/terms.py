"""What the services of a storm are told: the durations are short, so that a schedule is over in seconds."""

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from gpt_trader.contracts.market import ProductSpec, Tier
from gpt_trader.executor.settings import ExecutorSettings
from gpt_trader.risk_gate.domain.policy import Policy, Profile
from gpt_trader.risk_gate.settings import Mode, RiskGateSettings, shipped_policy
from gpt_trader.runtime.signing import Signer, Verifier

PRODUCTS = {"BTC-USD": Decimal(50_000), "ETH-USD": Decimal(2_000)}
CASH = Decimal(100_000)
POSITION_CAP = Decimal(3_000)
ANSWER_SECONDS = 0.2
"""Shorter than the token's life, so that the venue may take an order after the gate gave its answer up."""
TOKEN_SECONDS = 0.5
LISTED_SECONDS = 0.5
"""In which listings come to show an order."""
KEY = "storm"
_RESOLVE_SECONDS = 0.1
"""Far shorter than a token lives, as in production: what is believed too soon must show."""
_SEED = "c3Rvcm1zdG9ybXN0b3Jtc3Rvcm1zdG9ybXN0b3Jtc3Q="  # the key of a simulation signs nothing real
_NOWHERE = Path("/nowhere")
_CHANGES: dict[str, Any] = {
    "signals.duplicate_window_seconds": 0,
    "limits.max_position_notional": int(POSITION_CAP),
    "limits.max_order_notional": 2_000,
    "sizing.max_entry_notional": 2_000,
    "frequency.between_trades_seconds": 0,
    "frequency.per_product_seconds": 0,
    "cooldowns.consecutive_losses_seconds": 0,
    "cooldowns.after_loss_seconds": 0,
    "cooldowns.after_stop_seconds": 0,
    "cooldowns.after_win_seconds": 0,
    "escalation.rejections": 1000,
    "escalation.infrastructure_denials": 1000,
    "escalation.strategy_denials": 1000,
    "approvals.expiry_seconds": 2,
    "execution.style": "taker",
}
"""What differs from the demo's policy: small orders, a cap that binds, no cooldowns, approvals that expire soon."""


@cache
def policy() -> Policy:
    """Return the limits of a storm."""
    document = json.loads(shipped_policy(Profile.DEMO).document())
    for path, value in _CHANGES.items():
        section, _, key = path.partition(".")
        document[section][key] = value
    return Policy.model_validate_json(json.dumps(document))


@cache
def gate_settings() -> RiskGateSettings:
    """Return what the gate is told, and says in its heartbeats; files that a storm replaces are nowhere."""
    return RiskGateSettings(
        mode=Mode.DEMO,
        policy_file=_NOWHERE,
        journal_dir=_NOWHERE,
        signing_seed_file=_NOWHERE,
        key_id=KEY,
        egress_certificate_file=_NOWHERE,
        egress_key_file=_NOWHERE,
        venue_rest="storm",
        venue_answer_seconds=ANSWER_SECONDS,
        cdp_key_file=_NOWHERE,
        redis_password_file=_NOWHERE,
        nats_monitor_url="http://storm",
        listed_seconds=LISTED_SECONDS,
        reconcile_seconds=1,
        publish_seconds=0.3,
    )


@cache
def executor_settings() -> ExecutorSettings:
    """Return what the executor is told, and says in its heartbeats."""
    return ExecutorSettings(
        egress="storm:1",
        egress_ca_file=_NOWHERE,
        gate_public_key_file=_NOWHERE,
        gate_key_id=KEY,
        journal_dir=_NOWHERE,
        reconcile_seconds=2,
        clock_bound_seconds=0,
    )


@cache
def gate_haste() -> RiskGateSettings:
    """Return what the gate is told with a token that lives for less than the second that may be set."""
    return gate_settings().model_copy(update={"token_seconds": TOKEN_SECONDS})


@cache
def executor_haste() -> ExecutorSettings:
    """Return what the executor is told with parts of the seconds that may be set."""
    parts = {
        "resolve_seconds": _RESOLVE_SECONDS,
        "token_life_seconds": TOKEN_SECONDS,
        "visibility_seconds": LISTED_SECONDS,
    }
    return executor_settings().model_copy(update=parts)


@cache
def signer() -> Signer:
    """Return the gate's key."""
    return Signer.of(_SEED, key_id=KEY, origin="storm")


@cache
def verifier() -> Verifier:
    """Return what the executor pins."""
    return Verifier.pinned({KEY: signer().public_key})


def spec(product: str) -> ProductSpec:
    """Return the trading rules of a product."""
    base, _, quote = product.partition("-")
    return ProductSpec(
        product=product,
        base_currency=base,
        quote_currency=quote,
        kind="spot",
        base_increment=Decimal("0.00000001"),
        price_increment=Decimal("0.01"),
        base_min_size=Decimal("0.00001"),
        base_max_size=Decimal(3400),
        quote_min_size=Decimal(1),
        is_disabled=False,
        is_cancel_only=False,
        is_limit_only=False,
        is_post_only=False,
        is_auction=False,
        tier=Tier.T1,
        volume_24h_notional=Decimal(900_000_000),
    )
