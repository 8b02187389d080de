"""Fault storms: the real services on a simulated clock, bus, disk and venue, driven by one seed (SPEC BT5).

Read in this order: `fate` (what goes wrong), `timeline` (time, tasks and crashes), `server` and `bus`, `venue`, `line`,
`disk`, `shelf` (what is simulated), `gate` and `executor` (what is real), `witness` (what must hold), `world`.
"""
