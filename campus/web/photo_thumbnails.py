"""Small pictures of photos whose face has not been cut out."""

import io
from pathlib import Path

from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpResponse
from django.utils.translation import gettext
from PIL import Image

from recognition.errors import RecognitionError
from recognition.media.photo import read_photo

THUMBNAIL_PIXELS = 192


def thumbnail_response(file: FieldFile) -> HttpResponse:
    """A small JPEG of a photo. Raises Http404 if it can't be shown."""
    try:
        small, _, _ = read_photo(Path(file.path), max_side=THUMBNAIL_PIXELS)
    except (RecognitionError, OSError) as error:
        raise Http404(gettext("The picture can't be shown.")) from error
    jpeg = io.BytesIO()
    Image.fromarray(small).save(jpeg, "JPEG", quality=80)
    headers = {"Cache-Control": "private, max-age=3600"}
    return HttpResponse(jpeg.getvalue(), content_type="image/jpeg", headers=headers)
