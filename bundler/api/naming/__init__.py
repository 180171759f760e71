"""Names of images on the far side: where the rules come from, and the mapping that goes to those who deploy."""
