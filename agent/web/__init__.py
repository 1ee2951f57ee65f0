"""HTTP for the till, HTTP for HQ, and the till page."""
