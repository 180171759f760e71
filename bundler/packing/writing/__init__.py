"""Where the bytes go: archives, parts, and the output directory."""
