"""Who has a NIP: what earlier sales said, and what the Ministry's white list says of that."""
