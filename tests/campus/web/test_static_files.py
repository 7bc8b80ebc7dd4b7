"""Files that a newer release has put beside those of this one."""

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from campus.web.static_files import StaticFiles


def test_a_file_that_came_after_the_start_is_given(settings, tmp_path: Path, rf: RequestFactory):
    settings.STATIC_ROOT = tmp_path / "static"
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    settings.STATIC_ROOT.mkdir()
    (tmp_path / "static-secret").write_text("a secret")
    (settings.STATIC_ROOT / "old.css").write_text("old")

    def no_page(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=404)

    files = StaticFiles(no_page)
    (settings.STATIC_ROOT / "new.0123456789ab.css").write_text("new")

    def ask(address: str) -> tuple[int, bytes]:
        response = files(rf.get(address))
        return response.status_code, response.getvalue()

    assert ask("/static/old.css") == (200, b"old")
    assert ask("/static/new.0123456789ab.css") == (200, b"new")
    assert ask("/static/missing.css")[0] == 404
    assert ask("/static/../static-secret")[0] == 404
    assert ask("/static//" + str(tmp_path / "static-secret"))[0] == 404
