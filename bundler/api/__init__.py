"""The library's front door: where sources, bundles and destinations are put together."""
