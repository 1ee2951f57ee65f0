"""What the agent knows of KSeF's outages and of its own line, and the deadlines that follow."""
