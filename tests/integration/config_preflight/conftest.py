"""The stack of the gate's tests, and venues of its own."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "risk_gate"))
