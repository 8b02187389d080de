"""Pure exchange: books, matching, money and markets; time and randomness are arguments."""
