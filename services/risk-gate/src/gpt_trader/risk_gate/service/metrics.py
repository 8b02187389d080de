"""What the gate counts; the names are the contract of dashboards and alert rules."""

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter("risk_gate_decisions", "verdicts on signals", ["verdict", "product"])
OBJECTIONS = Counter("risk_gate_objections", "failed checks of denied signals", ["check", "rule"])
DECISION_SECONDS = Histogram(
    "risk_gate_decision_seconds",
    "real time from receiving a signal to its durable record",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
)
CREATES_IN_FLIGHT = Gauge("risk_gate_creates_in_flight", "orders that left for the venue and have no answer yet")
OPEN_APPROVALS = Gauge("risk_gate_open_approvals", "approved orders that are not over")
EXPOSURE = Gauge("risk_gate_exposure_notional", "positions at mark", ["kind"])
EQUITY = Gauge("risk_gate_equity", "equity at mark")
DRAWDOWN = Gauge("risk_gate_drawdown_fraction", "fall of equity from its peak")
DAY_PNL = Gauge("risk_gate_day_pnl", "profit and loss since the start of the UTC day")
STATE = Gauge("risk_gate_trading_state", "1 for the state that holds", ["status"])
CAUSES = Gauge("risk_gate_causes", "causes that hold, by code", ["code"])
COMMANDS = Counter("risk_gate_commands", "operator commands", ["subject", "note"])
RECONCILIATIONS = Counter("risk_gate_reconciliations", "comparisons with the venue's balances", ["result"])
"""Egress and user channel count for themselves, beside the code that sees them."""
