"""What all tests share."""

import gc
import os
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import hypothesis
import pytest
from django.core.management.color import Style
from django.core.management.commands import flush
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.models.signals import post_migrate
from django.utils import translation

# How long an example takes says nothing of the code on a machine that is busy.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

# What the tests make is mostly kept to the end: looking through all of it again and again takes a tenth of their time.
gc.set_threshold(100_000, 20, 100)

REPOSITORY = Path(__file__).resolve().parent.parent

# Minutes of faults are too long for each run: `make soak`.
collect_ignore = [] if "SOAK_MINUTES" in os.environ else ["soak"]

# Networks are converted once, not by every test that starts a program.
os.environ.setdefault("ROLLCALL_NETWORK_CACHE_DIR", str(REPOSITORY / "var" / "networks"))


# Tests that ask the database nothing in which PostgreSQL and SQLite differ, or what others ask, too: they are marked
# `one_database`, and .ci/run runs them with PostgreSQL alone.
ONE_DATABASE = (
    *("campus/accounts", "campus/api", "campus/attendance", "campus/biometrics", "campus/cctv", "campus/connections"),
    *("campus/consent", "campus/identity", "campus/outbox", "campus/privacy", "campus/recordings", "campus/web"),
    *("faults/test_camera_day.py", "faults/test_fetching_workers.py", "faults/test_marks.py", "faults/test_moments.py"),
    *("faults/test_slow_clients.py", "faults/test_web_server.py", "faults/test_workers.py"),
    *("workers/recorder", "workers/test_annotate.py", "workers/test_collected_lectures.py", "workers/test_erasure.py"),
    *("workers/test_fetch.py", "workers/test_learning.py", "workers/test_one_winner.py", "workers/test_recorders.py"),
    *("workers/test_picture_settings.py", "workers/test_stores.py", "workers/test_two_cameras.py"),
    *("workers/test_device_search.py", "workers/test_remote_storage.py", "workers/test_uploads_of_a_day.py"),
)

# Files with tests that take long by themselves, the longest first. Each process begins with its share of them, so that
# none is left alone with one when the others have ended.
LONG = (
    *("faults/test_workers.py", "deploy/test_releases.py", "e2e/test_whole_day.py", "e2e/test_every_page.py"),
    *("faults/test_camera_day.py", "faults/test_moments.py", "demo", "deploy/test_previous_release.py"),
    *("faults/test_database_outages.py", "faults/test_fetching_workers.py", "deploy/test_local.py"),
    *("e2e/test_university.py", "faults/test_marks.py"),
    *("recognition/cli/test_attend.py", "deploy/test_installation.py", "workers/test_two_cameras.py"),
)


def _asks_the_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool({"db", "transactional_db"} & fixtures or item.get_closest_marker("django_db"))


@cache
def _place(path: Path, names: tuple[str, ...]) -> int | None:
    """The first of these files and folders of tests which a path is in; None if it is in none."""
    found = (place for place, name in enumerate(names) if path.is_relative_to(REPOSITORY / "tests" / name))
    return next(found, None)


def _long_first(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """In the order in which they are dealt out: the first part to the first process, and so on."""
    places = {item: _place(item.path, LONG) for item in items}
    long = sorted((item for item in items if places[item] is not None), key=places.get)
    rest = iter([item for item in items if places[item] is None])
    size = -(-len(items) // processes)
    shares = [long[first::processes] for first in range(processes)]
    return [item for share in shares for item in (*share, *islice(rest, max(size - len(share), 0)))]


@pytest.hookimpl(wrapper=True, tryfirst=True)  # marks are set before they select, and what they selected is ordered
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """With a PostgreSQL of its own only what asks the database: all else is no other there."""
    asks = [item for item in items if _asks_the_database(item)]
    for item in asks:
        if _place(item.path, ONE_DATABASE) is not None:
            item.add_marker("one_database")
    if os.environ.get("ROLLCALL_TEST_POSTGRES_URL"):
        config.hook.pytest_deselected(items=[item for item in items if item not in asks])
        items[:] = asks
    yield
    items[:] = _long_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.fixture(scope="session", autouse=True)
def audit_log_may_be_emptied() -> Iterator[None]:
    """SQLite empties a database after a test by deleting all rows, which those of the audit log refuse."""
    execute = DatabaseWrapper.ops_class.execute_sql_flush

    def flush_all(operations: BaseDatabaseOperations, statements: list[str]) -> None:
        from campus.attendance.feed_triggers import create_feed_triggers, drop_feed_triggers
        from campus.audit.triggers import create_triggers, drop_triggers

        drop_triggers()
        drop_feed_triggers()
        execute(operations, statements)
        create_triggers()
        create_feed_triggers()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseWrapper.ops_class, "execute_sql_flush", flush_all)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """What a test leaves that is not rolled back is deleted, in less than half of Django's time: it would also make
    anew which models and permissions there are, which no test changes, and TRUNCATE makes a file for each table."""
    from django.contrib.auth.management import create_permissions
    from django.contrib.contenttypes.management import create_contenttypes

    def flush_others(style: Style, connection: BaseDatabaseWrapper, **options: bool) -> list[str]:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        others = [table for table in tables if table not in ("auth_permission", "django_content_type")]
        if connection.vendor != "postgresql":
            return connection.ops.sql_flush(style, others, **options)
        # Rows in any order, also those of the audit log.
        deletions = (f'DELETE FROM "{table}"' for table in others)  # noqa: S608
        return ["SET LOCAL session_replication_role = replica", *deletions]

    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(create_permissions, dispatch_uid="django.contrib.auth.management.create_permissions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", flush_others)
        yield


@pytest.fixture(autouse=True)
def default_language() -> None:
    """What a test before this one said in German does not go on here."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def faces_may_be_recognised(request: pytest.FixtureRequest) -> None:
    """The people of the tests are recognised by another legal basis than each one's consent, but where a test is about
    consent."""
    if _asks_the_database(request.node):
        request.getfixturevalue("db")
        from campus.accounts.models import Institution

        Institution.objects.create(legal_basis=Institution.LegalBasis.OTHER)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and clips: ROLLCALL_SHARED, or shared/data beside the repository."""
    folder = Path(os.environ.get("ROLLCALL_SHARED", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the test data is not there: {folder} (set ROLLCALL_SHARED)")
    return folder
