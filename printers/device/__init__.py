"""One printer: the dialogue with it and what its answers mean."""
