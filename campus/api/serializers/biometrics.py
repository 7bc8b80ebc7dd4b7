"""Enrolment photos and galleries."""

from typing import Any

from rest_framework import serializers

from campus.api.serializers.common import OwnCourse, OwnStudent
from campus.biometrics.models import FacePhoto, Gallery


class PhotoSerializer(serializers.ModelSerializer[FacePhoto]):
    class Meta:
        model = FacePhoto
        fields = ["id", "student", "original_name", "state", "reason", "face_px", "quality", "created_at"]
        read_only_fields = fields


class PhotoUploadSerializer(serializers.Serializer[Any]):
    student = OwnStudent()
    file = serializers.FileField(max_length=255, allow_empty_file=True)


class PhotoMoveSerializer(serializers.Serializer[Any]):
    student = OwnStudent(help_text="whom the photo shows")


class GallerySerializer(serializers.ModelSerializer[Gallery]):
    class Meta:
        model = Gallery
        fields = ["id", "course", "state", "active", "embedder", "threshold", "margin", "students", "photos", "error", "created_at"]
        read_only_fields = fields


class TrainSerializer(serializers.Serializer[Any]):
    course = OwnCourse()
