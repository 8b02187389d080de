"""The commands of `gpt-trader`, grouped by what an operator is doing."""
