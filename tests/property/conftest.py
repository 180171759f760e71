"""One profile for all properties: the same examples in every run, and few enough to run each time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "airbundle",
    derandomize=True,
    deadline=None,
    max_examples=200,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("airbundle")
