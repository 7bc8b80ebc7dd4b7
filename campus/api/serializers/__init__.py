"""Serializers: what the API returns and accepts, one module for each app."""
