"""The stand of every scenario."""

from conftest_stand import nurseries, pytest_runtest_makereport, running_stand, stand, stand_terms

__all__ = ["nurseries", "pytest_runtest_makereport", "running_stand", "stand", "stand_terms"]
