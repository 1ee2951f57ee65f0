"""Records: the register of the month, the evidence of an outage, the hash chain."""
