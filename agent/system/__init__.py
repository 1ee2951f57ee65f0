"""The operating system: clock, durable files, journal, systemd, its errors in Polish."""
