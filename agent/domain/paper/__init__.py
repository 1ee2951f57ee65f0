"""What stands on paper: which document a customer gets, and its words."""
