"""Making bundles: what to pack, in which order, and the pipeline that writes it."""
