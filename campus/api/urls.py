"""The REST API, version 1."""

from django.contrib.auth.decorators import login_required
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from campus.api.exception_handler import NotFoundView
from campus.api.views.academics import CourseViewSet, EnrolmentViewSet, LectureViewSet, MeView, StudentViewSet
from campus.api.views.asyncapi import AsyncAPIView
from campus.api.views.attendance import AttendanceViewSet, ChangeViewSet, ExcuseViewSet, StatusViewSet
from campus.api.views.biometrics import (
    GalleryViewSet,
    LectureFaceViewSet,
    LookAlikeViewSet,
    PhotoImportViewSet,
    PhotoViewSet,
)
from campus.api.views.calendars import CalendarLinkViewSet
from campus.api.views.cctv import CameraViewSet, CollectionViewSet, FootageFileViewSet, SourceViewSet
from campus.api.views.change_feed import ChangeFeedView
from campus.api.views.documents import ReportViewSet
from campus.api.views.events import EventsView
from campus.api.views.evidence import AnnotatedVideoViewSet, SightingViewSet, SnapshotViewSet, UnknownPersonViewSet
from campus.api.views.imports import FileImportViewSet
from campus.api.views.links import InvitationViewSet, StudentLinkViewSet
from campus.api.views.outbox import DeliveryViewSet, WebhookViewSet
from campus.api.views.privacy import ConsentViewSet, ErasureViewSet, LegalHoldViewSet, RetentionView
from campus.api.views.recordings import RecordingViewSet
from campus.api.views.timetable import HolidayViewSet, RoomViewSet, SeriesViewSet, TermViewSet
from campus.api.views.token import TokenView
from campus.api.views.uploads import UploadPartsView, UploadsView, UploadView

router = SimpleRouter()
router.register("courses", CourseViewSet, "api-course")
router.register("students", StudentViewSet, "api-student")
router.register("enrolments", EnrolmentViewSet, "api-enrolment")
router.register("photos", PhotoViewSet, "api-photo")
router.register("lecture-faces", LectureFaceViewSet, "api-lecture-face")
router.register("lectures", LectureViewSet, "api-lecture")
router.register("terms", TermViewSet, "api-term")
router.register("rooms", RoomViewSet, "api-room")
router.register("holidays", HolidayViewSet, "api-holiday")
router.register("series", SeriesViewSet, "api-series")
router.register("recordings", RecordingViewSet, "api-recording")
router.register("sources", SourceViewSet, "api-source")
router.register("cameras", CameraViewSet, "api-camera")
router.register("footage-files", FootageFileViewSet, "api-footage-file")
router.register("collections", CollectionViewSet, "api-collection")
router.register("attendance", AttendanceViewSet, "api-attendance")
router.register("sightings", SightingViewSet, "api-sighting")
router.register("snapshots", SnapshotViewSet, "api-snapshot")
router.register("annotated-videos", AnnotatedVideoViewSet, "api-annotated-video")
router.register("unknown", UnknownPersonViewSet, "api-unknown")
router.register("excuses", ExcuseViewSet, "api-excuse")
router.register("consents", ConsentViewSet, "api-consent")
router.register("legal-holds", LegalHoldViewSet, "api-legal-hold")
router.register("erasures", ErasureViewSet, "api-erasure")
router.register("changes", ChangeViewSet, "api-change")
router.register("reports", ReportViewSet, "api-report")
router.register("imports", FileImportViewSet, "api-import")
router.register("photo-imports", PhotoImportViewSet, "api-photoimport")
router.register("look-alikes", LookAlikeViewSet, "api-lookalike")
router.register("galleries", GalleryViewSet, "api-gallery")
router.register("statuses", StatusViewSet, "api-status")
router.register("calendar-links", CalendarLinkViewSet, "api-calendarlink")
router.register("student-links", StudentLinkViewSet, "api-studentlink")
router.register("invitations", InvitationViewSet, "api-invitation")
router.register("webhooks", WebhookViewSet, "api-webhook")
router.register("deliveries", DeliveryViewSet, "api-delivery")

urlpatterns = [
    path("recordings/<uuid:pk>/events/", EventsView.as_view(), name="api-recording-events"),
    path("", include(router.urls)),
    path("uploads/", UploadsView.as_view(), name="api-uploads"),
    path("uploads/<uuid:pk>/", UploadView.as_view(), name="api-upload"),
    path("uploads/<uuid:pk>/parts/", UploadPartsView.as_view(), name="api-upload-parts"),
    path("change-feed/", ChangeFeedView.as_view(), name="api-change-feed"),
    path("retention/", RetentionView.as_view(), name="api-retention"),
    path("me/", MeView.as_view(), name="api-me"),
    path("token/", TokenView.as_view(), name="api-token"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("asyncapi.json", AsyncAPIView.as_view(), name="api-asyncapi"),
    path("docs/", login_required(SpectacularSwaggerSplitView.as_view(url_name="api-schema")), name="api-docs"),
    path("<path:rest>", NotFoundView.as_view(), name="api-not-found"),
]
