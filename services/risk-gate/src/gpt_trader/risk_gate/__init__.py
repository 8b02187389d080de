"""Signals to sized, checked, approved intents; the only way to the venue."""
