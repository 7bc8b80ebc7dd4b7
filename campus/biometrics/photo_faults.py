"""What is wrong with a photo, and what to do about it, in words for whoever is on it."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from recognition.types import PhotoFault


@dataclass(frozen=True, slots=True)
class FaultWords:
    """The fault in a word or two, and what to do about it."""

    name: str | Promise
    advice: str | Promise


FAULTS = {
    PhotoFault.NO_FACE: FaultWords(
        _("No face"), _("Hold the camera at eye level, and show your whole face from the front.")
    ),
    PhotoFault.SEVERAL_FACES: FaultWords(
        _("Two faces"), _("Take the photo on your own, with nobody and no picture of a person behind you.")
    ),
    PhotoFault.SMALL: FaultWords(_("Too far away"), _("Hold the camera closer: your face should fill a third of it.")),
    PhotoFault.DARK: FaultWords(_("Too dark"), _("Turn to a window or a lamp, so that the light falls on your face.")),
    PhotoFault.BLURRED: FaultWords(_("Blurred"), _("Wipe the lens, hold the camera still, and take the photo again.")),
    PhotoFault.TURNED: FaultWords(_("Turned away"), _("Look straight into the camera.")),
}
UNREADABLE = FaultWords(_("Can't be read"), _("Take another photo, or choose one that is a JPEG file."))
