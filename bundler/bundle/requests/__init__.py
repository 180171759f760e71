"""What is missing of a bundle, as a small file to carry back, and the blocks that answer it."""
