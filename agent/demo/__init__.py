"""The main job without account and hardware: the agent on the embedded sandbox, in one process."""
