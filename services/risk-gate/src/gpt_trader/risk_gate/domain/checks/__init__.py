"""The pre-trade checks: one small pure function per row, in one ordered table."""
