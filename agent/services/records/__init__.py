"""Evidence for auditors, out of the store."""
