"""Printing: each job durable before its bytes leave."""
