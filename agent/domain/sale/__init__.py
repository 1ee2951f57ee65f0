"""The sale's JSON: what a press may say, with every mistake named at its field."""
