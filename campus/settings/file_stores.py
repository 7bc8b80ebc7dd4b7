"""Where files are stored, by ROLLCALL_STORAGE_URL."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def file_stores(url: str) -> dict[str, dict[str, Any]]:
    """Django's storages of media and of reports. Raises ImproperlyConfigured."""
    if not url:
        return {
            "clear": {"BACKEND": "campus.common.storage.LocalStorage"},
            "reports": {"BACKEND": "campus.common.storage.LocalReports"},
        }
    address = urlsplit(url)
    if address.scheme != "s3" or not address.netloc:
        raise ImproperlyConfigured("ROLLCALL_STORAGE_URL is not s3://bucket/prefix?endpoint=https://...")
    backend = "campus.common.object_storage.S3Storage"
    return {
        "clear": {"BACKEND": backend, "OPTIONS": {"url": url, "folder": "media"}},
        "reports": {"BACKEND": backend, "OPTIONS": {"url": url, "folder": "reports"}},
    }
