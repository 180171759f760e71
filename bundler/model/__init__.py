"""Values of the OCI specifications and of docker's names: no I/O, no clock, no state."""
