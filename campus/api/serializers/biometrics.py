"""Enrolment photos and galleries."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campus.api.serializers.academics import RatesSerializer
from campus.api.serializers.common import OwnCourseField, OwnStudentField
from campus.biometrics.models import FacePhoto, Gallery, LectureFace, LookAlike, PhotoImport, WaitingPhoto
from campus.biometrics.photo_waiting import WaitingFolder
from campus.biometrics.zip_names import NameEncoding


class PhotoSerializer(serializers.ModelSerializer[FacePhoto]):
    class Meta:
        model = FacePhoto
        fields = [
            "id",
            "student",
            "original_name",
            "state",
            "reason",
            "face_px",
            "quality",
            "created_at",
            "confirmed_at",
            "confirmed_by",
        ]
        read_only_fields = fields


class LectureFaceSerializer(serializers.ModelSerializer[LectureFace]):
    class Meta:
        model = LectureFace
        fields = ["id", "student", "lecture", "state", "quality", "created_at"]
        read_only_fields = fields


class PhotoUploadSerializer(serializers.Serializer[Any]):
    student = OwnStudentField()
    file = serializers.FileField(max_length=255, allow_empty_file=True)


class PhotoZipSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(
        max_length=255, allow_empty_file=True, help_text="a zip of `<student number or name>/*.jpg`"
    )
    course = OwnCourseField(
        required=False, allow_null=True, default=None, help_text="import photos for students of this class only"
    )


class PhotoImportSerializer(serializers.ModelSerializer[PhotoImport]):
    skipped = serializers.ListField(
        source="skipped_files",
        child=serializers.ListField(child=serializers.CharField()),
        help_text="[path, student, reason] of each file that was skipped",
    )

    class Meta:
        model = PhotoImport
        fields = [
            "id",
            "course",
            "original_name",
            "name_encoding",
            "state",
            "total",
            "processed",
            "added",
            "skipped",
            "error",
            "created_at",
        ]
        read_only_fields = fields


class WaitingPhotoSerializer(serializers.ModelSerializer[WaitingPhoto]):
    class Meta:
        model = WaitingPhoto
        fields = ["id", "original_name"]
        read_only_fields = fields


class WaitingFolderSerializer(serializers.Serializer[Any]):
    folder = serializers.CharField()
    photos = WaitingPhotoSerializer(many=True)
    student = serializers.IntegerField(
        source="match.student.pk", default=None, allow_null=True, help_text="whose it is certainly"
    )
    candidates = serializers.SerializerMethodField(help_text="ids of the students whom the name may mean")
    reason = serializers.CharField(source="match.reason", allow_blank=True)

    def get_candidates(self, folder: WaitingFolder) -> list[int]:
        return [student.pk for student in folder.suggestions]


class FolderSerializer(serializers.Serializer[Any]):
    folder = serializers.CharField(help_text="as the list of waiting folders has it", trim_whitespace=False)


class FileFolderSerializer(FolderSerializer):
    student = OwnStudentField(help_text="the student that the photos show")


class NameEncodingSerializer(serializers.Serializer[Any]):
    name_encoding = serializers.ChoiceField(choices=NameEncoding.choices)


class FiledPhotosSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField(help_text="photos that were added")
    skipped = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), help_text="[path, reason] of the others"
    )


class PhotoMoveSerializer(serializers.Serializer[Any]):
    student = OwnStudentField(help_text="the student that the photo shows")


class LookAlikeSerializer(serializers.ModelSerializer[LookAlike]):
    class Meta:
        model = LookAlike
        fields = ["id", "first", "second", "similarity", "found_at", "decided_at", "decided_by"]
        read_only_fields = fields


class KeptStudentSerializer(serializers.Serializer[Any]):
    student = OwnStudentField(help_text="the student of the pair whose number stays")


class GallerySerializer(serializers.ModelSerializer[Gallery]):
    class Meta:
        model = Gallery
        fields = [
            "id",
            "course",
            "state",
            "active",
            "embedder",
            "threshold",
            "margin",
            "students",
            "photos",
            "error",
            "created_at",
        ]
        read_only_fields = fields


class SuspectSerializer(serializers.Serializer[Any]):
    photo = serializers.UUIDField()
    similarity = serializers.FloatField(help_text="its cosine to its student")
    nearest = serializers.IntegerField(help_text="the other student, whose photos are more similar")
    nearest_similarity = serializers.FloatField(help_text="its cosine to that one")
    by_network = serializers.DictField(
        child=serializers.ListField(child=serializers.FloatField()),
        help_text="both cosines by each network alone, where the face model has several",
    )


class LearningCurveSerializer(serializers.Serializer[Any]):
    photos = serializers.IntegerField(help_text="how many photos each student would have")
    students = serializers.IntegerField(help_text="of how many students it is measured")
    miss = serializers.FloatField(
        allow_null=True, help_text="share of appearances that would be missed, 0 to 1; null where too few students say"
    )
    low = serializers.FloatField(allow_null=True, help_text="where the 95 % interval of it begins")
    high = serializers.FloatField(allow_null=True, help_text="where it ends")


class TrainingReportSerializer(serializers.Serializer[Any]):
    """Students are given by id. What an older training did not measure is empty."""

    rates = serializers.DictField(
        child=RatesSerializer(), default=dict, help_text="expected error rates, by strictness"
    )
    learning_curve = serializers.DictField(
        child=LearningCurveSerializer(many=True), default=dict, help_text="what more photos would bring, by strictness"
    )
    learning_curve_by_network = serializers.DictField(
        child=serializers.DictField(child=LearningCurveSerializer(many=True)),
        default=dict,
        help_text="the same with each network alone, where the face model has several",
    )
    without_photos = serializers.ListField(child=serializers.IntegerField(), default=list)
    few_photos = serializers.ListField(child=serializers.IntegerField(), default=list)
    too_alike = serializers.SerializerMethodField(help_text="pairs of students who look nearly the same")
    suspect_photos = serializers.SerializerMethodField(help_text="photos that may show another student")

    @extend_schema_field(serializers.ListField(child=serializers.ListField(child=serializers.IntegerField())))
    def get_too_alike(self, report: dict[str, Any]) -> list[list[int]]:
        return [[int(student) for student in pair[:2]] for pair in report.get("too_alike", [])]

    @extend_schema_field(SuspectSerializer(many=True))
    def get_suspect_photos(self, report: dict[str, Any]) -> Any:
        return SuspectSerializer(
            [photo for photos in report.get("suspect_photos", {}).values() for photo in photos], many=True
        ).data


class TrainSerializer(serializers.Serializer[Any]):
    course = OwnCourseField()
