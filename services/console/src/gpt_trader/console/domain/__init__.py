"""What the console derives from messages: pure values, no terminal, no bus."""
