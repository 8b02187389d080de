"""What the gate counts; the names are the contract of dashboards and alert rules."""

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter("risk_gate_decisions", "verdicts on signals", ["verdict", "product"])
OBJECTIONS = Counter("risk_gate_objections", "failed checks of denied signals", ["check", "rule"])
WITHHELD = Counter("risk_gate_denials_withheld", "denied signals that were counted and not recorded one by one")
DECISION_SECONDS = Histogram(
    "risk_gate_decision_seconds",
    "real time from receiving a signal to its durable record",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
)
_FINE = (*(step / 4000 for step in range(1, 17)), 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5)
DECIDED_SECONDS = Histogram(
    "risk_gate_decided_seconds",
    "real time from receiving a signal to its decision on disk, before its intent is stored",
    buckets=_FINE,
)
DECIDING_SECONDS = Histogram(
    "risk_gate_deciding_seconds", "the same without the wait for the disk: gather, review, fold, encode", buckets=_FINE
)
CREATES_IN_FLIGHT = Gauge("risk_gate_creates_in_flight", "orders that left for the venue and have no answer yet")
OPEN_APPROVALS = Gauge("risk_gate_open_approvals", "approved orders that are not over")
EXPOSURE = Gauge("risk_gate_exposure_notional", "positions at mark", ["kind"])
POSITION = Gauge("risk_gate_position_notional", "net position at mark, negative when short", ["product"])
UNREALIZED = Gauge("risk_gate_position_unrealized_pnl", "profit and loss of a position at mark", ["product"])
EQUITY = Gauge("risk_gate_equity", "equity at mark")
DRAWDOWN = Gauge("risk_gate_drawdown_fraction", "fall of equity from its peak")
DAY_PNL = Gauge("risk_gate_day_pnl", "profit and loss since the start of the UTC day")
PNL = Gauge("risk_gate_pnl", "what equity is made of since the opening, in the quote currency", ["kind"])
DIFFERENCES = Gauge("risk_gate_book_differences", "currencies in which the books and the venue differ")
STATE = Gauge("risk_gate_trading_state", "1 for the state that holds", ["status"])
CAUSES = Gauge("risk_gate_causes", "causes that hold, by code", ["code"])
CAUSE_SINCE = Gauge("risk_gate_cause_since_seconds", "when a cause began, Unix time", ["code", "subject"])
CAUSE_UNTIL = Gauge("risk_gate_cause_until_seconds", "when a cause ends by itself, Unix time", ["code", "subject"])
COMMANDS = Counter("risk_gate_commands", "operator commands", ["subject", "note"])
RECONCILIATIONS = Counter("risk_gate_reconciliations", "comparisons with the venue's balances", ["result"])
STRATEGY_SILENCE = Gauge(
    "risk_gate_strategy_silence_seconds", "real time since the last heartbeat of the strategy, or of its quietest shard"
)
MIXED_VERSION = Gauge("risk_gate_mixed_version", "1 while a service runs another release than the gate", ["service"])
PROTECTIVE_EXITS = Counter("risk_gate_protective_exits", "exits in the gate's own name", ["ground", "verdict"])
SNAPSHOTS = Counter("risk_gate_snapshots", "snapshots of the state", ["result"])
POLICY_DRIFT = Gauge("risk_gate_policy_drift", "1 while the policy file says something else than what holds")
JOURNAL_RECORDS = Gauge("risk_gate_journal_records", "records in the journal")
GUARD_SECONDS = Histogram(
    "risk_gate_guard_seconds",
    "real time that one look of a guard takes",
    ["guard"],
    buckets=(0.00001, 0.0001, 0.001, 0.01, 0.1),
)
GUARD_TRIPS = Counter("risk_gate_guard_trips", "restrictions that a guard put on trading", ["guard"])
GUARD_STATE = Gauge("risk_gate_guard_state", "-1 unknown, 0 ok, 1 warning, 2 tripped: the worst product", ["guard"])
GUARD_COOLDOWN = Gauge("risk_gate_guard_cooldown_seconds", "how long a guard's restriction lasts at least", ["guard"])
"""Egress and user channel count for themselves, beside the code that sees them."""
