"""The command: options, progress on the terminal, and what is printed."""
