"""The hub's HTTP: for tills (docs/chain.md), for people, for monitoring."""
