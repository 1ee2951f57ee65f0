"""Schemas: fa3/ (official XSD, placed at build), api/ (our own)."""
