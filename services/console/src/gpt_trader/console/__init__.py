"""The operator's side: the gpt-trader command."""
