"""The stand, and the table beside the tests."""

import sys
from pathlib import Path

from conftest_stand import nurseries, pytest_runtest_makereport, running_stand, stand, stand_terms

sys.path.insert(0, str(Path(__file__).parent))

__all__ = ["nurseries", "pytest_runtest_makereport", "running_stand", "stand", "stand_terms"]
