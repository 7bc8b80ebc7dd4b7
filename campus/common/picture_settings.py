"""How the pictures of a camera or a recording are read, where the file does not say it or is wrong."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from recognition.media.orientation import adjust_picture
from recognition.types import VideoInfo

PICTURE_FIELDS = ("stream", "aspect_ratio", "rotation", "is_mirrored")


class PictureSettings(models.Model):
    """Which video stream is read, and how its pictures are stretched, turned and mirrored on top of what the file
    says."""

    class AspectRatio(models.TextChoices):
        WIDE = "16:9", "16:9"
        NARROW = "4:3", "4:3"
        NEARLY_SQUARE = "5:4", "5:4"

        __empty__ = _("as the file says")

    class Rotation(models.IntegerChoices):
        NONE = 0, _("as the file says")
        RIGHT = 90, _("to the right")
        HALF = 180, _("upside down")
        LEFT = 270, _("to the left")

    stream = models.PositiveSmallIntegerField(
        _("video stream"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Of a file with several, such as camera and slides: 1 is the first. Empty: the one with faces."),
    )
    aspect_ratio = models.CharField(
        _("shape"),
        max_length=4,
        blank=True,
        choices=AspectRatio.choices,
        help_text=_("Width to height, before turning. Set it if people look too thin or too wide."),
    )
    rotation = models.PositiveSmallIntegerField(_("turned"), default=0, choices=Rotation.choices)
    is_mirrored = models.BooleanField(
        _("mirrored"), default=False, help_text=_("Left and right are swapped, for example in a phone's front camera.")
    )

    class Meta:
        abstract = True

    def adjust_picture(self, info: VideoInfo) -> VideoInfo:
        """What the file is, read with these settings; the stream is chosen when it is probed."""
        width, _colon, height = self.aspect_ratio.partition(":")
        return adjust_picture(
            info,
            aspect_ratio=int(width) / int(height) if height else None,
            rotation=self.rotation,
            is_mirrored=self.is_mirrored,
        )

    def has_same_picture_as(self, other: "PictureSettings") -> bool:
        return all(getattr(self, name) == getattr(other, name) for name in PICTURE_FIELDS)

    def copy_picture_settings(self, other: "PictureSettings") -> None:
        """Take over the settings of `other`, without saving."""
        for name in PICTURE_FIELDS:
            setattr(self, name, getattr(other, name))
