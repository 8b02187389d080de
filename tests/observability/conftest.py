"""The stand of the alerts' scenarios, and one demo that is looked at from all sides."""

from conftest_stand import nurseries, running_stand, stand, stand_terms

__all__ = ["nurseries", "running_stand", "stand", "stand_terms"]
