"""The web application for gunicorn."""

import logging
import os
import sys
import warnings

# No web process decodes pictures or videos, or reads tables, calendars or zips, whatever code it runs: workers do, in a
# process without rights. The libraries that it shares with them go without pictures.
for _reader in (
    *("PIL", "av", "cv2", "pillow_heif"),
    *("campus.academics.calendar_reader", "campus.academics.roster_files", "campus.academics.roster_workbooks"),
    *("campus.biometrics.zip_reader", "campus.connections.oneroster_reader"),
):
    sys.modules[_reader] = None  # type: ignore[assignment]
warnings.filterwarnings("ignore", message="Pillow could not be imported")

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection  # noqa: E402
from django.urls import get_resolver  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campus.settings.prod")
application = get_wsgi_application()

from campus.operations.checks import describe_older_tables  # noqa: E402

if older_tables := describe_older_tables():
    logging.getLogger(__name__).error("%s", older_tables)  # /readyz says it too, until they are not
connection.close()
get_resolver().url_patterns  # noqa: B018 - read now with all views, or those who ask first after a start wait for them
