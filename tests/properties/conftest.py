"""Property tests draw the same examples everywhere, so that a failure in CI is a failure here."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "isthmus", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("isthmus")
