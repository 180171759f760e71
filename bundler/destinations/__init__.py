"""Transports as image destinations: how each kind takes what `content.images.ImageDestination` offers."""
