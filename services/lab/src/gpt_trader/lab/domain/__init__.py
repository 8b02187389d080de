"""The comparison of a recorded run with what the same inputs give today."""
