"""Footage sources, cameras, footage files and collections."""

from typing import Any

from rest_framework import serializers

from campus.api.serializers.common import OwnLectureField
from campus.cctv.models import Camera, Collection, FootageFile, Source, SourceTest
from campus.common.picture_settings import PICTURE_FIELDS
from campus.recordings.models import Clip


class SourceSerializer(serializers.ModelSerializer[Source]):
    password = serializers.CharField(
        write_only=True,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=20_000,
        help_text=(
            "The password or, for SFTP, a private key. It is never returned; an empty string deletes it. Send it "
            "again whenever `kind` or `address` changes."
        ),
    )
    has_password = serializers.BooleanField(read_only=True)

    class Meta:
        model = Source
        fields = [
            "id",
            "name",
            "kind",
            "address",
            "username",
            "password",
            "has_password",
            "host_key",
            "pattern",
            "time_zone",
            "clock_offset",
            "delay_minutes",
            "deadline_hours",
            "scan_interval_minutes",
            "max_kib_per_second",
            "max_file_gib",
            "max_gib_per_day",
            "enabled",
            "state",
            "error",
            "last_checked_at",
            "last_new_file_at",
        ]
        read_only_fields = ["state", "error", "last_checked_at", "last_new_file_at"]


class CameraSerializer(serializers.ModelSerializer[Camera]):
    class Meta:
        model = Camera
        fields = ["id", "source", "label", "room", *PICTURE_FIELDS]
        validators: list[Any] = []  # the model's own validation names the field and the reason


class RecountedSerializer(serializers.Serializer[Any]):
    recordings = serializers.IntegerField(help_text="how many are counted again")


class FilePreviewSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(source="file.path")
    size = serializers.IntegerField(source="file.size", help_text="in bytes")
    modified_at = serializers.DateTimeField(source="file.modified", allow_null=True)
    fits = serializers.BooleanField(help_text="whether the path fits the pattern")
    camera = serializers.IntegerField(source="parsed.camera.pk", default=None, allow_null=True)
    starts_at = serializers.DateTimeField(source="parsed.starts_at", default=None, allow_null=True)
    ends_at = serializers.DateTimeField(
        source="parsed.ends_at", default=None, allow_null=True, help_text="an estimate if the path does not state it"
    )
    lectures = serializers.SerializerMethodField(help_text="ids of the lectures that it belongs to")
    note = serializers.CharField(help_text="why it cannot be used without a person's help", allow_blank=True)
    footage_file = serializers.UUIDField(
        source="footage_file.pk",
        default=None,
        allow_null=True,
        help_text="the footage file, if this path is known already",
    )

    def get_lectures(self, seen: Any) -> list[int]:
        return [lecture.pk for lecture in seen.lectures]


class SourceTestSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=SourceTest.State.choices, source="test.state")
    requested_at = serializers.DateTimeField(source="test.requested_at")
    error = serializers.CharField(source="test.error", allow_blank=True)
    file_count = serializers.IntegerField(source="test.file_count", help_text="number of files found")
    files = FilePreviewSerializer(many=True, help_text="the newest files")
    channels = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        source="test.channels",
        help_text="of a recorder: what it calls each of its channels, and the name that it has for people",
    )
    camera_report = serializers.CharField(
        source="test.camera_report", help_text="for a source of live cameras: what each camera sends", allow_blank=True
    )


class ClipSerializer(serializers.ModelSerializer[Clip]):
    lecture = serializers.IntegerField(source="recording.lecture_id")

    class Meta:
        model = Clip
        fields = ["recording", "lecture", "start", "end", "recording_start"]


class FootageFileSerializer(serializers.ModelSerializer[FootageFile]):
    clips = ClipSerializer(many=True, read_only=True)

    class Meta:
        model = FootageFile
        fields = [
            "id",
            "source",
            "camera",
            "path",
            "size",
            "modified_at",
            "starts_at",
            "ends_at",
            "state",
            "sha256",
            "lecture",
            "note",
            "error",
            "discovered_at",
            "fetched_at",
            "clips",
        ]
        read_only_fields = fields


class AssignSerializer(serializers.Serializer[Any]):
    lecture = OwnLectureField()


class CollectionSerializer(serializers.ModelSerializer[Collection]):
    class Meta:
        model = Collection
        fields = ["id", "lecture", "state", "note", "check_count", "next_check_at", "deadline_at", "finished_at"]
        read_only_fields = fields
