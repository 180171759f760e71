"""Going on where a pack was cut: what it was, what it had done, and what of that is still right."""
