"""Use cases: apply what the domain decides, through the ports."""
