"""Locks: which image each name of a configuration stands for."""
