"""Transports as image sources: how each kind answers the questions of `content.images.ImageSource`."""
