"""The repositories of agent/hub/ports.py, one set for both databases."""
