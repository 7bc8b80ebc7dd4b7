"""Every address: the admin, the staff's pages, the API."""

from django.contrib import admin
from django.urls import include, path

from campus.web.views.account import set_own_language

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("campus.api.urls")),
    path("language/", set_own_language, name="set_language"),
    path("", include("campus.web.urls")),
]
