"""KSeF 2.0 as the sandbox plays it; shares no code with the agent's client."""
