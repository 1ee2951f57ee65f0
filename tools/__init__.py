"""Programs for whoever develops the agent. Nothing here is shipped."""
