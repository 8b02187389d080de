"""Where recorded runs are read, and where the result is written."""
