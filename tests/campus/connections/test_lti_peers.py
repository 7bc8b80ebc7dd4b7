"""Rollcall with a second implementation of a platform, and the platform of our tests with a second tool: neither was
written by whoever has written the other half.
"""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from joserfc.jwk import RSAKey
from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.grade import Grade
from pylti1p3.lineitem import LineItem
from pylti1p3.names_roles import NamesRolesProvisioningService
from pylti1p3.registration import Registration
from pylti1p3.service_connector import ServiceConnector

from campus.attendance.models import AttendanceRecord
from campus.attendance.overrides import sign_off_lecture
from campus.connections import runs
from campus.connections.models import CourseLink, MarkDelivery
from campus.identity.models import IdentityProvider
from tests.campus import factories
from tests.campus.connections.launches import form_fields, launch, query_of
from tests.campus.connections.platforms import connect, course_of, work_off
from tests.servers.lti1p3_platform import Lti1p3Platform
from tests.servers.lti_platform import AGS_SCOPE, Platform, lti_platform


@pytest.fixture
def platform(settings) -> Iterator[Lti1p3Platform]:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    cache.clear()
    served = Lti1p3Platform()
    with lti_platform(served):
        yield served


@pytest.mark.django_db
def test_launch_deep_link_roster_and_marks_with_lti1p3platform(platform: Lti1p3Platform) -> None:
    platform.add_member("grace", "Grace Hopper", "T1", role="Instructor")
    course = course_of(platform, "Ada Lovelace", "Alan Turing")
    course.lecturers.set([factories.user(username="T1")])
    connect(platform)
    IdentityProvider.objects.update(matching="user-name", match_claim="lis_person_sourcedid")
    client = Client()
    choice = query_of(launch(client, platform, "grace").headers["Location"])["choice"]
    client.post("/lti/class/", {"choice": choice, "course": course.pk})
    [run] = work_off()
    assert (run.state, run.counts["members"]) == ("done", 2)

    lecture = factories.lecture(course)
    for student, status in zip(course.students.order_by("number"), ("present", "absent"), strict=True):
        AttendanceRecord.objects.create(lecture=lecture, student=student, override_status=status)
    sign_off_lecture(lecture=lecture, user=factories.registrar())
    runs.request_due_runs()
    assert [(run.task, run.state, str(run.error)) for run in work_off()] == [("marks", "done", "")]
    assert platform.marks() == {"user-1": 100.0, "user-2": 0.0}
    assert set(MarkDelivery.objects.values_list("state", flat=True)) == {"sent"}

    choice = query_of(launch(client, platform, "grace", deep=True).headers["Location"])["choice"]
    page = client.post("/lti/content/", {"choice": choice, "content": f"lecture:{lecture.pk}"}).content.decode()
    [item] = platform.configuration().validate_deeplinking_resp({"JWT": form_fields(page)["JWT"]})
    assert item["url"] == f"http://testserver/lectures/{lecture.pk}/"
    assert launch(Client(), platform, "user-1").headers["Location"] == "/me/own/"
    assert CourseLink.objects.count() == 1


class Connector(ServiceConnector):
    """The service connector of pylti1p3next, which leaves open where tokens are kept."""

    def _get_cached_access_token(self, scope_key: str) -> None:
        return None

    def _cache_access_token(self, scope_key: str, access_token: str, expires_in: float) -> None:
        pass


def test_the_platform_of_the_tests_serves_pylti1p3next() -> None:
    key = RSAKey.generate_key(2048, private=True, auto_kid=True)
    public = key.as_dict(private=False, use="sig", alg="RS256")
    with lti_platform(Platform(tool_keys={"keys": [public]})) as platform:
        for number in range(1500):
            platform.add_member(f"user-{number}", f"Student {number}", str(number))
        registration = Registration()
        registration.set_issuer(platform.issuer).set_client_id(platform.client_id)
        registration.set_auth_token_url(f"{platform.issuer}/token")
        registration.set_tool_private_key(key.as_pem(private=True).decode())
        registration.set_tool_public_key(key.as_pem(private=False).decode())
        registration.get_kid = lambda: key.kid  # type: ignore[method-assign]
        connector, course = Connector(registration), f"{platform.issuer}/{platform.context}"
        members = NamesRolesProvisioningService(connector, {"context_memberships_url": f"{course}/members"})
        assert len(members.get_members()) == 1500
        scopes = [AGS_SCOPE + name for name in ("lineitem", "score", "result.readonly")]
        grades = AssignmentsGradesService(connector, {"scope": scopes, "lineitems": f"{course}/lineitems"})  # type: ignore[typeddict-item]
        item = grades.find_or_create_lineitem(LineItem().set_label("Attendance").set_score_maximum(100).set_tag("a"))
        grade = Grade().set_score_given(75).set_score_maximum(100).set_user_id("user-7")
        grade.set_timestamp("2026-11-30T10:00:00.000+00:00")
        grade.set_activity_progress("Completed").set_grading_progress("FullyGraded")
        grades.put_grade(grade, item)
        assert platform.marks() == {"user-7": 75.0}
        assert next(iter(grades.get_grades(item)))["resultScore"] == 75
