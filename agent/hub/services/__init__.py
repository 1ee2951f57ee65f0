"""The hub's use cases beside the courier: intake, what tills are told, the fleet."""
