"""One client for each form in which images travel or lie on a disk; used by both ends."""
