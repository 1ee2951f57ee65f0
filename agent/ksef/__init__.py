"""Talking to KSeF 2.0 and Latarnia over HTTP (PROTOCOL facts: docs/protocol.md)."""
