"""One class for each thing that a person can act on. The message is a sentence that says what happened and what to
do.
"""

from recognition.messages import Message


class RecognitionError(Exception):
    """Anything that stops the recognition for a reason that a person can understand: a template and the values in its
    {fields}.
    """

    def __init__(self, template: str, **values: object) -> None:
        self.message = Message(template, **values)
        super().__init__(self.message)


class UnreadableRecording(RecognitionError):
    """The file is no video or photo, is damaged, or has no picture in it."""


class RecordingOutOfLimits(RecognitionError):
    """The file's size, rate or length is absurd; it was refused before it was decoded."""


class NoEnrolment(RecognitionError):
    """There are no usable enrolment photos to compare with."""


class GalleryMismatch(RecognitionError):
    """The gallery is damaged or was made by another embedder."""


class WeightsMissing(RecognitionError):
    """A model's weights file is missing or is not the file that it should be."""


class DownloadFailed(RecognitionError):
    """A file could not be fetched, or is not the one that it was."""


class Cancelled(RecognitionError):
    """Somebody asked to stop."""
