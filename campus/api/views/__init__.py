"""The endpoints: each asks its selector what the user may see, and a service to write."""
