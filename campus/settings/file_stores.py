"""Where files are stored, by ROLLCALL_STORAGE_URL."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

S3 = "campus.common.object_storage.S3Storage"
WEB_SERVER = "campus.common.http_storage.HttpStorage"
BACKENDS = {"s3": S3, "https": WEB_SERVER, "http": WEB_SERVER}


def file_stores(url: str) -> dict[str, dict[str, Any]]:
    """Django's storages of media and of reports. Raises ImproperlyConfigured."""
    if not url:
        return {
            "clear": {"BACKEND": "campus.common.storage.LocalStorage"},
            "reports": {"BACKEND": "campus.common.storage.LocalReports"},
        }
    address = urlsplit(url)
    if address.scheme not in BACKENDS or not address.netloc:
        raise ImproperlyConfigured(
            "ROLLCALL_STORAGE_URL is neither s3://bucket/prefix?endpoint=https://... nor https://attendance.example.org."
        )
    backend = BACKENDS[address.scheme]
    return {
        "clear": {"BACKEND": backend, "OPTIONS": {"url": url, "folder": "media"}},
        "reports": {"BACKEND": backend, "OPTIONS": {"url": url, "folder": "reports"}},
    }
