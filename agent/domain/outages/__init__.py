"""Outages: Latarnia's announcements, declarations, the mode of a press, deadlines."""
