"""Fakes of the ports, used by every suite."""
