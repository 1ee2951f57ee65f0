"""Corrections as use cases: made, kept until the base has its KSeF number, issued, refused, closed."""
