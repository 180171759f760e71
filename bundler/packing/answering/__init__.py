"""Answers to requests from images that are packed again, to nowhere."""
