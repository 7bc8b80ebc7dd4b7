"""The REST API, version 1."""

from django.contrib.auth.decorators import login_required
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from campus.api import views
from campus.api.token import TokenView
from campus.api.uploads import UploadsView, UploadView

router = SimpleRouter()
router.register("courses", views.CourseViewSet, "api-course")
router.register("students", views.StudentViewSet, "api-student")
router.register("lectures", views.LectureViewSet, "api-lecture")
router.register("recordings", views.RecordingViewSet, "api-recording")
router.register("attendance", views.AttendanceViewSet, "api-attendance")
router.register("reports", views.ReportViewSet, "api-report")
router.register("galleries", views.GalleryViewSet, "api-gallery")

urlpatterns = [
    path("", include(router.urls)),
    path("uploads/", UploadsView.as_view(), name="api-uploads"),
    path("uploads/<uuid:pk>/", UploadView.as_view(), name="api-upload"),
    path("token/", TokenView.as_view(), name="api-token"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", login_required(SpectacularSwaggerSplitView.as_view(url_name="api-schema")), name="api-docs"),
]
