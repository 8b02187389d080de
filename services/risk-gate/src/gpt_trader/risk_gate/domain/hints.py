"""What a person should do about a cause; docs/operations.md says more."""

from collections.abc import Mapping

from gpt_trader.risk_gate.domain.trading_state import CauseCode

_FEED = "look at the feed and at market-data's log"
_MARKET = "wait: it ends by itself once the market is calm again"
_RECONCILE = "compare with the venue (docs/operations.md), then resume"
_NOBODY = "nobody can lift it; find out what lost money before it ends"
_LISTS = "look at the executor; the venue's lists decide soon, and at once after gpt-trader reset --reason"
_KILL = "find out why, remove what still kills, then: gpt-trader reset"

HINTS: Mapping[str, str] = {
    CauseCode.KILL: _KILL,
    CauseCode.KILL_KEY: _KILL,
    CauseCode.KILL_FILE: _KILL,
    CauseCode.UNAPPROVED_ORDER: "revoke the key if nobody of yours made it, else reset with --reason and --excuse ID",
    CauseCode.VENUE_LIQUIDATION: "fund the futures wallet, then reset with --reason and --excuse ID",
    CauseCode.OPERATOR_PAUSE: "gpt-trader resume ends it early",
    CauseCode.OPERATOR_REDUCE_ONLY: "gpt-trader resume ends it",
    CauseCode.STARTING: "wait for the first reconciliation; gpt-trader status says for what",
    CauseCode.STATE_STORE: "bring the state store back; it ends when both agree",
    CauseCode.CLOCK: "repair time synchronisation",
    CauseCode.CLOCK_JUMP: "somebody set the machine's clock: repair time synchronisation",
    CauseCode.DISK_SPACE: "make room on the journal's disk",
    CauseCode.SLOW_DISK: "find what else writes to the journal's disk",
    CauseCode.BUS_STORE: "give the stream that is named more room (docs/operations.md)",
    CauseCode.MIXED_VERSIONS: "deploy one release everywhere; the detail names who runs another",
    CauseCode.VENUE_DOWN: "wait for the venue; the gate's log names the request that failed",
    CauseCode.BALANCE_MISMATCH: _RECONCILE,
    CauseCode.UNKNOWN_TRANSACTION: "ask the venue what it booked, adopt its totals if they are right, then resume",
    CauseCode.UNRESOLVED_ORDER: _LISTS,
    CauseCode.UNEXPLAINED_FILL: _RECONCILE,
    CauseCode.INFRASTRUCTURE: "gpt-trader decisions --denied shows what was missing; repair it, then resume",
    CauseCode.STALE_MARK: _FEED,
    CauseCode.REPEATED_ORDER: "look at that strategy",
    CauseCode.REJECTIONS: "the detail has the venue's last reason",
    CauseCode.SLIPPAGE: _MARKET,
    CauseCode.PREVIEWS: "look at what the venue refused, then resume",
    CauseCode.DAILY_LOSS: _NOBODY,
    CauseCode.DAILY_LOSS_HALT: "decide on what is held: gpt-trader flatten works; reset ends the halt",
    CauseCode.WEEKLY_LOSS: _NOBODY,
    CauseCode.DRAWDOWN: "decide whether to go on: gpt-trader reset takes note of the fall and begins a new peak",
    CauseCode.LIQUIDATION_BUFFER: "move dollars into the futures wallet, or let the gate reduce what is held",
    CauseCode.MARGIN_WINDOW: "higher margin rates begin soon: fund the futures wallet, or let the gate reduce",
    CauseCode.CONTRACT_EXPIRY: "the gate closes the contract; enter a later one if the position is still wanted",
    CauseCode.TERMS_DIFFER: "look at market-data: it states other terms than the venue, and orders follow the venue's",
    CauseCode.ORPHAN_POSITION: "nothing could close this position now: look at its feed, or close it at the venue",
    CauseCode.BALANCE_DRIFT: _RECONCILE,
    CauseCode.MISSING_FILL: _LISTS,
    CauseCode.ORDER_DRIFT: "compare gpt-trader orders with the venue's list, then resume",
    CauseCode.VOLATILITY: _MARKET,
    CauseCode.FAST_MOVE: _MARKET,
    CauseCode.WIDE_SPREAD: _MARKET,
    CauseCode.THIN_BOOK: _MARKET,
    CauseCode.CONCENTRATION: "reduce that position; it ends by itself then",
    CauseCode.CORRELATION: "reduce one of the positions that move together; it ends by itself then",
    CauseCode.VENUE_ERRORS: "look at the venue's status page; it ends by itself when requests succeed again",
    CauseCode.VENUE_FAILING: "look at the venue's status page; it ends by itself when requests succeed again",
    CauseCode.RATE_BUDGET: "find who asks so much with this key; it ends by itself once the budget has recovered",
    CauseCode.FILL_BURST: "look at the product's orders and fills",
    CauseCode.FILLED_VALUE: "look at the product's orders and fills",
    CauseCode.STRATEGY_THROTTLED: "look at that strategy; gpt-trader resume lets it enter again",
    CauseCode.GUARD_BROKEN: "a bug: the gate's log has its error; entries stay blocked until it is repaired",
}


def hint_of(code: str) -> str:
    """Return what to do about a cause."""
    return HINTS.get(code, "another release of the gate raised it: its docs/operations.md says why; a reset ends it")
