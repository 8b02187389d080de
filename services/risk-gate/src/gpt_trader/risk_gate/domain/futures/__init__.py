"""US futures (Coinbase CFM): what the venue says of margin, what it will ask for, and what the calendar changes."""
