"""Keys and signatures: who made a bundle."""
