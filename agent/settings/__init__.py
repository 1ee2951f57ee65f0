"""The settings: one TOML file, read into dataclasses, all mistakes at once."""
