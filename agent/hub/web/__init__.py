"""The hub's HTTP: for tills (docs/hub.md), for people, for monitoring."""
