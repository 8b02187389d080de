"""What a strategy sees, decides and asks for: pure, so that a replay gives the same signals."""
