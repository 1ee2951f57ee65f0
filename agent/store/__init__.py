"""SQLite behind one writer: the only place where facts become durable."""
