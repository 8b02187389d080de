"""The stand of every scenario."""

from conftest_stand import nurseries, running_stand, stand, stand_terms

__all__ = ["nurseries", "running_stand", "stand", "stand_terms"]
