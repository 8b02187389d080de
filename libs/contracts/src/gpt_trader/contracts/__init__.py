"""Messages, subjects and streams of GPT-Trader."""
