"""Every address: the admin, the staff's pages, the API."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("campus.api.urls")),
    path("", include("campus.web.urls")),
]
