"""What images are called on the far side: rename rules, and the names that they make. Values, no I/O."""
