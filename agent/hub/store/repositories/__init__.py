"""The repositories of agent/hub/ports, one set for both databases."""
