"""The hub's settings: one TOML file, config.hub.example.toml explains each one."""
