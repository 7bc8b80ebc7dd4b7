"""Every address: the admin, the staff's pages, the API."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("campus.api.urls")),
    path("language/", set_language, name="set_language"),
    path("", include("campus.web.urls")),
]
