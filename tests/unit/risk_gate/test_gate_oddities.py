"""What is possible in a policy and hardly meant."""

import pytest
from gate_builders import POLICIES, a_policy

from gpt_trader.risk_gate.domain.policy import Profile
from gpt_trader.risk_gate.domain.policy.oddities import oddities
from gpt_trader.risk_gate.settings import load_policy


@pytest.mark.parametrize("profile", list(Profile))
def test_nothing_is_odd_in_a_shipped_policy(profile: Profile) -> None:
    assert oddities(load_policy(POLICIES / f"{profile}.yaml")) == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"limits__notional_per_day": 1}, "limits.notional_per_hour ="),
        ({"limits__notional_per_minute": 1}, "limits.max_order_notional ="),
        ({"frequency__trades_per_day": 1}, "frequency.trades_per_hour ="),
        ({"losses__daily_halt_fraction": "0.0001"}, "limits.daily_loss_fraction ="),
        ({"window__weekdays": []}, "window.weekdays names no day"),
        ({"sizing__min_order_notional": 99_999_999}, "every entry is denied"),
    ],
)
def test_what_makes_another_limit_pointless_or_stops_all_trading_is_named(
    changes: dict[str, object], sentence: str
) -> None:
    assert any(sentence in odd for odd in oddities(a_policy(**changes)))
