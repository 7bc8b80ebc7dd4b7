"""Recordings and their progress."""

from typing import Any

from rest_framework import serializers

from campus.api.serializers.common import OwnLectureField
from campus.attendance.models import Report
from campus.common.picture_settings import PICTURE_FIELDS
from campus.recordings.models import Recording
from campus.recordings.review import review_messages
from campus.recordings.selectors import describe_reading


class RecordingSerializer(serializers.ModelSerializer[Recording]):
    report = serializers.PrimaryKeyRelatedField[Report](read_only=True, allow_null=True)
    info = serializers.DictField(
        read_only=True, help_text="properties of the file: container, codec, width, height, ..."
    )
    aspect_ratio = serializers.CharField(read_only=True, help_text="width to height, before turning; empty as recorded")
    notes = serializers.SerializerMethodField(
        help_text="sentences on how the files were read: which video stream, what their clocks did"
    )
    review = serializers.SerializerMethodField(help_text="why a person should check it before it counts")

    class Meta:
        model = Recording
        fields = [
            "id",
            "lecture",
            "camera",
            "provisional",
            "original_name",
            "size",
            "sha256",
            "created_at",
            "replaces",
            "state",
            "offset",
            "offset_source",
            "review",
            "run",
            "duration",
            "info",
            *PICTURE_FIELDS,
            "notes",
            "coverage",
            "error",
            "gallery",
            "report",
            "finished_at",
        ]
        read_only_fields = fields

    def get_notes(self, recording: Recording) -> list[str]:
        return [str(note) for note in describe_reading(recording)]

    def get_review(self, recording: Recording) -> list[str]:
        return [str(message) for message in review_messages(recording)] if recording.held else []


class PlaceSerializer(serializers.Serializer[Recording]):
    offset = serializers.FloatField(
        min_value=-86400, max_value=86400, help_text="the second of the lecture at which the recording begins"
    )


class MoveSerializer(serializers.Serializer[Recording]):
    lecture = OwnLectureField()


class PictureSettingsSerializer(serializers.ModelSerializer[Recording]):
    class Meta:
        model = Recording
        fields = PICTURE_FIELDS


class RecordingUploadSerializer(serializers.Serializer[Recording]):
    lecture = OwnLectureField()
    file = serializers.FileField(max_length=255, allow_empty_file=True)
    offset = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=-86400,
        max_value=86400,
        help_text="the second of the lecture at which the recording begins; without it, as the file says",
    )
    replaces = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="a recording of the lecture that was uploaded, and is removed once this one counts",
    )


class SegmentProgressSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    start = serializers.FloatField(help_text="in seconds")
    end = serializers.FloatField(help_text="in seconds")
    state = serializers.CharField()
    running = serializers.BooleanField()
    progress = serializers.FloatField(help_text="0 to 1")
    error = serializers.CharField(allow_blank=True)


class RecognisedStudentSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class ProgressSerializer(serializers.Serializer[Any]):
    state = serializers.CharField()
    state_label = serializers.CharField()
    step = serializers.CharField(allow_blank=True, help_text="what is being done, in a sentence")
    share = serializers.FloatField(help_text="0 to 1")
    error = serializers.CharField(allow_blank=True)
    segments = SegmentProgressSerializer(many=True)
    faces = serializers.IntegerField()
    recognised_students = RecognisedStudentSerializer(
        many=True,
        help_text="students recognised in the segments that are done so far; the vote over all segments decides",
    )
    eta_seconds = serializers.FloatField(allow_null=True)
