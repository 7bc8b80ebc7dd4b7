"""Lists the files of a source, tests whether it can be reached, and looks for devices that may become one."""

from datetime import timedelta

from django.utils import timezone

from campus.cctv.file_discovery import ChannelSpan, days_to_scan, finish_scan, spans_to_fetch
from campus.cctv.models import DeviceSearch, Source, SourceTest
from campus.cctv.services import finish_device_search, finish_source_test
from campus.common import jobs
from workers.leased_task import leased_task

TESTED_TIME = timedelta(hours=2)  # of a recorder, until now


@leased_task(jobs.SCAN_SOURCE)
def scan_source(source: Source) -> None:
    from workers.source_listing import list_files, list_recordings

    now = timezone.now()
    if source.is_recorder:
        files = list_recordings(source, spans_to_fetch(source, now))
    else:
        files = list_files(source, days_to_scan(source, now))
    finish_scan(source=source, files=files)


@leased_task(jobs.TEST_SOURCE)
def test_source(test: SourceTest) -> None:
    from workers.recorder.session import describe_cameras
    from workers.source_listing import list_channels, list_files, list_recordings

    if test.source.kind == Source.Kind.RTSP:
        finish_source_test(test=test, camera_report=describe_cameras(test.source))
    elif test.source.is_recorder:
        now = timezone.now()
        labels = test.source.cameras.values_list("label", flat=True)
        spans = [ChannelSpan(label, now - TESTED_TIME, now) for label in labels]
        finish_source_test(test=test, channels=list_channels(test.source), files=list_recordings(test.source, spans))
    else:
        finish_source_test(test=test, files=list_files(test.source, learn_host_key=True))


@leased_task(jobs.FIND_DEVICES)
def find_devices(search: DeviceSearch) -> None:
    from workers.device_search import search_devices

    finish_device_search(search=search, devices=search_devices())
