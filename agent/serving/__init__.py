"""The running service: loops, periodic triggers, HTTP listeners."""
