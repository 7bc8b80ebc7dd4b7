"""Every address: the admin, the staff's pages, the API, and the files for workers without a shared disk."""

from django.contrib import admin
from django.urls import include, path

from campus.common.http_storage import PATH as STORED_FILES
from campus.web.views.account import set_own_language
from campus.web.views.stored_files import StoredFile, StoredFiles

admin.autodiscover()

handler500 = "campus.web.views.errors.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("campus.api.urls")),
    path("scim/v2/", include("campus.api.scim.urls")),
    path("language/", set_own_language, name="set_language"),
    path(f"{STORED_FILES}/<str:folder>/", StoredFiles.as_view(), name="stored-files"),
    path(f"{STORED_FILES}/<str:folder>/<path:name>", StoredFile.as_view(), name="stored-file"),
    path("", include("campus.web.urls")),
]
