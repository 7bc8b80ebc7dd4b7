"""Lists the files of a source, and tests whether it can be reached."""

from django.utils import timezone

from campus.cctv.file_discovery import days_to_scan, finish_scan
from campus.cctv.models import Source, SourceTest
from campus.cctv.services import finish_source_test
from campus.common import jobs
from workers.leased_task import leased_task


@leased_task(jobs.SCAN_SOURCE)
def scan_source(source: Source) -> None:
    from workers.source_listing import list_files

    finish_scan(source=source, files=list_files(source, days_to_scan(source, timezone.now())))


@leased_task(jobs.TEST_SOURCE)
def test_source(test: SourceTest) -> None:
    from workers.recorder.session import describe_cameras
    from workers.source_listing import list_files

    if test.source.kind == Source.Kind.RTSP:
        finish_source_test(test=test, camera_report=describe_cameras(test.source))
    else:
        finish_source_test(test=test, files=list_files(test.source, learn_host_key=True))
