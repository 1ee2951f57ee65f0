"""Settings of every test run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Machines are shared, so time limits per example only make noise; a change is judged by the same examples every time.
settings.register_profile("change", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "change"))
