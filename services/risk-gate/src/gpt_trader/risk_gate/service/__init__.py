"""The shell of the gate: gather, decide, record, publish."""
