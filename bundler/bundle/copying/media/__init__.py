"""The media that a bundle is copied to: what room they have, what goes where, and how one follows another."""
