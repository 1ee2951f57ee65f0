"""Talking to KSeF 2.0 and Latarnia over HTTP (docs/protocol.md)."""
