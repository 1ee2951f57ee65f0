"""FA(3) files: built, checked by the official schema, read, and supplied ready by other programs."""
