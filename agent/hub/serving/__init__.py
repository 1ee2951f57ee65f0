"""A running process of the hub: loops and the listener."""
