"""The hardware day: what a real printer does where a slip goes wrong, step by step, written down for us to read."""
