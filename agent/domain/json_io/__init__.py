"""JSON in and out: strict bodies, fields with their mistakes, stored values."""
