"""Sent bytes and receipt documents as people see them: text, picture, PDF."""
