"""What the API says of each thing, and what it takes. Each app's are in the module of its name."""
