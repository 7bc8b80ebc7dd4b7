"""The endpoints. Each reads through a selector, which knows what the user may see, and writes through a service."""
