"""Classes, students and lectures."""

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from campus.academics.models import Course, Lecture, Student
from campus.academics.selectors import courses_for, is_registrar, lectures_for, students_for
from campus.academics.services import lecture_create, sureness_set
from campus.api import filters
from campus.api import serializers as s
from campus.api.base import Endpoint, RegistrarsOnly, who
from campus.attendance.services import register_write
from campus.biometrics.models import Gallery
from campus.biometrics.services import embedder_set


class CourseViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Course]):
    serializer_class = s.CourseSerializer
    filterset_fields = ["code"]
    ordering_fields = ["code", "name"]
    ordering = ["code"]

    def get_queryset(self) -> QuerySet[Course]:
        in_use = Prefetch("galleries", Gallery.objects.filter(active=True), to_attr="galleries_in_use")
        return courses_for(self.request.user).prefetch_related(in_use)

    @extend_schema(request=s.CourseFacesSerializer, responses=s.CourseSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Choose how sure the machine must be, and what compares the faces. Only a registrar may."""
        course = self.object_to_change()
        if not is_registrar(who(request)):
            raise PermissionDenied(RegistrarsOnly.message)
        wish = s.CourseFacesSerializer(course, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        if "sureness" in wish.validated_data:
            sureness_set(course=course, sureness=wish.validated_data["sureness"])
        if wish.validated_data.get("embedder", course.embedder) != course.embedder:
            embedder_set(course=course, embedder=wish.validated_data["embedder"])
        return self.shown(course)

    @extend_schema(request=None, responses={201: s.ReportSerializer})
    @action(detail=True, methods=["post"])
    def register(self, request: Request, pk: str) -> Response:
        """Write the class's register over all its lectures anew; download it at /reports/{id}/download/."""
        return Response(s.ReportSerializer(register_write(course=self.get_object())).data, status=status.HTTP_201_CREATED)


class StudentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Student]):
    serializer_class = s.StudentSerializer
    filterset_class = filters.StudentFilter
    ordering_fields = ["number", "name"]
    ordering = ["name"]

    def get_queryset(self) -> QuerySet[Student]:
        return students_for(self.request.user)


class LectureViewSet(mixins.CreateModelMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Lecture]):
    serializer_class = s.LectureSerializer
    filterset_class = filters.LectureFilter
    ordering_fields = ["starts_at", "ends_at"]
    ordering = ["-starts_at"]

    def get_queryset(self) -> QuerySet[Lecture]:
        return lectures_for(self.request.user)

    def perform_create(self, serializer: BaseSerializer[Lecture]) -> None:
        serializer.instance = lecture_create(**serializer.validated_data)
