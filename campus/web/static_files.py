"""The files of the pages' own: scripts, styles, pictures."""

from pathlib import Path

from django.http import HttpRequest, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):
    """Gives also files that were put there since this process started: while web servers are replaced by those of a
    newer release one after the other, a page of a newer one may ask an older one for its files."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        url = request.path_info
        if url.startswith(self.static_prefix) and url not in self.files and self.url_is_canonical(url):
            path = Path(self.static_root, url.removeprefix(self.static_prefix))
            if path.is_file():
                self.add_file_to_dictionary(url, str(path))
        response: HttpResponseBase = super().__call__(request)
        return response
