"""Entry points and metrics."""
