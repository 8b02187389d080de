"""The futures side of the account over REST, in one consistent look."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.risk_gate.adapters import cfm
from gpt_trader.risk_gate.adapters.venue import RestVenue
from gpt_trader.risk_gate.domain.futures.account import FuturesReport
from gpt_trader.risk_gate.ports import VenueUnavailable

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RestFutures:
    """Implements FuturesVenue."""

    venue: RestVenue

    async def report(self, sizes: Mapping[str, Decimal]) -> FuturesReport:
        """Read positions between two equal summaries: what moved meanwhile would look like a gain."""
        read = self.venue.read
        window, ends_at = await read("/cfm/intraday/current_margin_window", "", cfm.window)
        has_intraday_rates = await read("/cfm/intraday/margin_setting", "", cfm.has_intraday_rates)
        before = await read("/cfm/balance_summary", "", cfm.summary)
        for _ in range(_TRIES):
            positions = await read("/cfm/positions", "", lambda body: cfm.positions(body, sizes))
            after = await read("/cfm/balance_summary", "", cfm.summary)
            if after.cash == before.cash:
                return FuturesReport(
                    cash=after.cash,
                    initial=after.initial,
                    maintenance=after.maintenance,
                    window=window,
                    window_ends_at=ends_at,
                    has_intraday_rates=has_intraday_rates,
                    positions=positions,
                )
            before = after
        raise VenueUnavailable(f"futures: the balance moved {_TRIES} times while positions were read")
