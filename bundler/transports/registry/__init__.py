"""The client of the OCI distribution protocol, used by sources and destinations alike."""
