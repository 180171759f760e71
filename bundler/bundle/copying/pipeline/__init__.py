"""From the sources to the medium: blocks are read, written and proven beside each other."""
