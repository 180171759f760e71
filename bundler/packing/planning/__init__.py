"""What a pack will do, decided before a layer is read."""
