"""The gate's decisions: pure functions over frozen values, with time passed in."""
