"""Small pictures of photos whose face has not been cut out."""

import io

import pillow_heif
from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from recognition.media.file_kind import PHOTO_FORMATS

pillow_heif.register_heif_opener()

THUMBNAIL_PIXELS = 192
MAX_IMAGE_PIXELS = 100_000_000


def thumbnail_response(file: FieldFile) -> HttpResponse:
    """A small JPEG of a photo. Raises Http404 if it can't be shown."""
    try:
        with file.open("rb") as content, Image.open(content, formats=PHOTO_FORMATS) as image:
            if image.width * image.height > MAX_IMAGE_PIXELS:
                raise Http404(_("The picture is too large to show."))
            image.draft("RGB", (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
            small = ImageOps.exif_transpose(image).convert("RGB")
            small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Http404(_("The picture can't be shown.")) from error
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=80)
    headers = {"Cache-Control": "private, max-age=3600"}
    return HttpResponse(jpeg.getvalue(), content_type="image/jpeg", headers=headers)
