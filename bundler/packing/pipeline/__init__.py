"""How a layer becomes a blob: threads, buffers, compression."""
