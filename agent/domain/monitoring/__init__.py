"""Alerts: which problems hold, how grave they are, when each is told."""
