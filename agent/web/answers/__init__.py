"""The answers of the API: their types, which are their description, and how each is made of what a use case returns."""
