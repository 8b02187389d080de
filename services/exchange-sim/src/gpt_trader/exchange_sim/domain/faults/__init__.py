"""What can go wrong at a venue on purpose, and when."""
