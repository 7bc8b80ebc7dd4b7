"""A platform on loopback that is connected, and what workers do with it."""

import json
from functools import cache

from joserfc.jwk import RSAKey

from campus.common import jobs
from campus.connections import runs
from campus.connections.lti.keys import published_keys
from campus.connections.lti.registration import create_sign_in
from campus.connections.models import Connection, ConnectionRun, CourseLink, SigningKey
from tests.campus import factories
from tests.servers.lti_platform import AGS_SCOPE, Platform


@cache
def own_key() -> str:
    """Our own, since making one takes a while."""
    return json.dumps(RSAKey.generate_key(2048, private=True).as_dict(private=True))


def connect(platform: Platform, **fields) -> Connection:
    """The connection to it; it knows our keys."""
    connection = Connection(kind="lti", name="Moodle", active=True, settings=platform.settings, **fields)
    connection.sign_in = create_sign_in(connection)
    connection.save()
    SigningKey.objects.create(private=own_key())
    platform.tool_keys = published_keys()
    return connection


def link(connection: Connection, platform: Platform, course) -> CourseLink:
    """What an instructor's launch makes."""
    url = f"{platform.issuer}/{platform.context}"
    scopes = [AGS_SCOPE + name for name in ("lineitem", "score", "result.readonly")]
    settings = {"members_url": f"{url}/members", "line_items_url": f"{url}/lineitems?type=7", "scopes": scopes}
    return CourseLink.objects.create(
        connection=connection, course=course, remote_id=platform.context, remote_name="CS 101", settings=settings
    )


def work_off(*tasks: str) -> list[ConnectionRun]:
    """Do what waits, as the worker does; the runs that were done."""
    done = []
    rows = ConnectionRun.objects.filter(state="queued")
    for pk in rows.filter(task__in=tasks).values_list("pk", flat=True) if tasks else rows.values_list("pk", flat=True):
        run = jobs.EXCHANGE.claim(pk, owner="worker")
        assert run is not None
        runs.perform(run=run)
        done.append(ConnectionRun.objects.get(pk=pk))
    return done


def course_of(platform: Platform, *names: str):
    """A class whose students are members there, too."""
    course = factories.course(code="CS101")
    for number, name in enumerate(names, 1):
        factories.enrol(course, factories.student(number=f"{number:04}", name=name))
        platform.add_member(f"user-{number}", name, f"{number:04}")
    return course
