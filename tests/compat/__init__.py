"""Other readers, golden bundles and damage: what keeps the format from changing unseen."""
