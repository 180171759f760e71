"""Real servers that a test run starts for itself: a Docker engine, the distribution registry."""
