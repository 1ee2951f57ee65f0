"""Corrections: read from JSON, counted against what their bases left."""
