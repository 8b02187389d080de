"""What the venue's feed means: pure, no I/O, time passed in."""
