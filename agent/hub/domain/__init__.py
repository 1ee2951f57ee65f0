"""The hub's rules: values and pure functions."""
