"""The small files of a bundle: the tables of its archives, and README.txt."""
