"""Classes, students, enrolments and lectures."""

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, ModelSerializer
from rest_framework.views import APIView

from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.academics.selectors import courses_for, lectures_for, students_for, term_starts
from campus.academics.services import (
    change_lecture,
    create_lecture,
    delete_enrolment,
    delete_lecture,
    save_course,
    validate_and_save,
)
from campus.accounts.roles import sees_everything
from campus.accounts.services import set_language
from campus.api import filters
from campus.api.base import Endpoint
from campus.api.permissions import IsRegistrar, IsRegistrarOrReadOnly, check_not_signed_off, request_user
from campus.api.serializers import academics as serializers
from campus.api.serializers.attendance import ClassHistorySerializer, ClassWeeksSerializer
from campus.api.serializers.common import DaysSerializer
from campus.api.serializers.privacy import CourseRetentionSerializer, ErasureSerializer
from campus.api.views.attendance import LectureResultActions
from campus.api.views.calendars import LectureImportActions
from campus.api.views.documents import CourseExportActions, LectureExportActions
from campus.api.views.rosters import CourseRosterActions
from campus.attendance.history import course_histories, student_history
from campus.attendance.services import save_policy
from campus.attendance.student_merge import merge_guest
from campus.biometrics.models import Gallery
from campus.biometrics.services import set_embedder
from campus.consent.services import set_course_marking, set_student_marking
from campus.privacy.erasure import request_course_erasure, request_student_erasure
from campus.privacy.retention_terms import Kind, Terms, set_rules


class MeView(APIView):
    @extend_schema(responses=serializers.MeSerializer)
    def get(self, request: Request) -> Response:
        """Who you are, and your role."""
        return Response(serializers.MeSerializer(request_user(request)).data, headers={"Cache-Control": "no-store"})

    @extend_schema(request=serializers.LanguageSerializer, responses=serializers.MeSerializer)
    def patch(self, request: Request) -> Response:
        """Choose the language of your pages and e-mails."""
        serializer = serializers.LanguageSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        set_language(user=request_user(request), **serializer.validated_data)
        return self.get(request)


class CourseViewSet(
    CourseExportActions, CourseRosterActions, mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin
):
    """Classes."""

    serializer_class = serializers.CourseSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.CourseFilter
    ordering_fields = ["code", "name"]
    ordering = ["code"]

    def get_queryset(self) -> QuerySet[Course]:
        in_use = Prefetch("galleries", Gallery.objects.filter(active=True), to_attr="galleries_in_use")
        return courses_for(self.request.user).select_related("register_policy").prefetch_related("lecturers", in_use)

    @extend_schema(responses={201: serializers.CourseSerializer})
    @transaction.atomic
    def create(self, request: Request) -> Response:
        """Create a class."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        facts = dict(serializer.validated_data)
        policy = facts.pop("register_policy", {})
        course = save_course(course=Course(), **facts)
        if policy:
            save_policy(course=course, **policy)
        return self.respond_with(course, status.HTTP_201_CREATED)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a class: its lecturers, attendance policy, match strictness, face model, or whether faces are
        recognised in it.
        """
        course = self.get_object_for_update()
        serializer = self.get_serializer(course, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        marking = changes.pop("automatic_marking", course.automatic_marking)
        embedder, policy = changes.pop("embedder", course.embedder), changes.pop("register_policy", {})
        save_course(course=course, **changes)
        if policy:
            save_policy(course=course, **policy)
        if embedder != course.embedder:
            set_embedder(course=course, embedder=embedder)
        if marking != course.automatic_marking:
            set_course_marking(course=course, automatic=marking, user=request_user(request))
        return self.respond_with(course)

    @extend_schema(request=None, responses={202: ErasureSerializer})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def erase(self, request: Request, pk: str) -> Response:
        """Erase a class with all that was done in it. Its students stay."""
        erasure = request_course_erasure(course=self.get_object_for_update(), user=request_user(request))
        return Response(ErasureSerializer(erasure).data, status.HTTP_202_ACCEPTED)

    @extend_schema(responses=CourseRetentionSerializer)
    @action(detail=True)
    def retention(self, request: Request, pk: str) -> Response:
        """In how many days the class's retention terms differ from those of the institution."""
        return self._retention_of(self.get_object())

    @extend_schema(request=CourseRetentionSerializer, responses=CourseRetentionSerializer)
    @retention.mapping.patch
    @transaction.atomic
    def change_retention(self, request: Request, pk: str) -> Response:
        """Change retention terms of the class; null: as in the institution."""
        course = self.get_object()
        serializer = CourseRetentionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        days = Terms().own_days(course.pk) | {Kind(kind): number for kind, number in serializer.validated_data.items()}
        own = {kind: number for kind, number in days.items() if number is not None}
        set_rules(course=course, days=own, user=request_user(request))
        return self._retention_of(course)

    def _retention_of(self, course: Course) -> Response:
        return Response({kind.value: days for kind, days in Terms().own_days(course.pk).items()})

    @extend_schema(parameters=[serializers.WeeklySerializer], responses=ClassWeeksSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None, filter_backends=[])
    def weekly(self, request: Request) -> Response:
        """Compare classes week by week."""
        serializer = serializers.WeeklySerializer(data=request.query_params, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        days = dict(serializer.validated_data)
        histories = course_histories(days.pop("course"), **days)
        return Response(ClassWeeksSerializer(histories, many=True).data)


class StudentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Student]):
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.StudentFilter
    ordering_fields = ["number", "name", "sort_key"]
    ordering = ["sort_key"]

    def get_queryset(self) -> QuerySet[Student]:
        return students_for(self.request.user)

    def get_serializer_class(self) -> type[ModelSerializer[Student]]:
        office = getattr(self, "swagger_fake_view", False) or sees_everything(self.request.user)
        return serializers.StudentDetailsSerializer if office else serializers.StudentSerializer

    def perform_create(self, serializer: BaseSerializer[Student]) -> None:
        serializer.instance = validate_and_save(Student(), **serializer.validated_data)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a student, or whether the student's face may be recognised at all."""
        student = self.get_object_for_update()
        serializer = self.get_serializer(student, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        marking = changes.pop("automatic_marking", student.automatic_marking)
        if changes:
            validate_and_save(student, **changes)
        if marking != student.automatic_marking:
            set_student_marking(student=student, automatic=marking, user=request_user(request))
        return self.respond_with(student)

    @extend_schema(parameters=[DaysSerializer], responses=ClassHistorySerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def history(self, request: Request, pk: str) -> Response:
        """The attendance of a student in all classes that you may see, lecture by lecture."""
        student = self.get_object()
        days = DaysSerializer(data=request.query_params)
        days.is_valid(raise_exception=True)
        return Response(
            ClassHistorySerializer(
                student_history(request_user(request), student, **days.validated_data), many=True
            ).data
        )

    @extend_schema(request=None, responses={202: ErasureSerializer})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def erase(self, request: Request, pk: str) -> Response:
        """Erase a student: all that shows, names or recognises the person. That somebody was in a lecture stays."""
        erasure = request_student_erasure(student=self.get_object_for_update(), user=request_user(request))
        return Response(ErasureSerializer(erasure).data, status.HTTP_202_ACCEPTED)

    @extend_schema(request=serializers.MergeSerializer, responses=serializers.StudentDetailsSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def merge(self, request: Request, pk: str) -> Response:
        """Merge a guest into the student that the guest turned out to be. Returns the student."""
        guest = self.get_object()
        serializer = serializers.MergeSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        merge_guest(guest=guest, student=serializer.validated_data["student"], user=request_user(request))
        return self.respond_with(serializer.validated_data["student"])


class EnrolmentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Enrolment]):
    serializer_class = serializers.EnrolmentSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.EnrolmentFilter
    ordering_fields = ["id", "valid_from"]
    ordering = ["id"]

    def get_queryset(self) -> QuerySet[Enrolment]:
        return Enrolment.objects.filter(course__in=courses_for(self.request.user))

    def perform_create(self, serializer: BaseSerializer[Enrolment]) -> None:
        course = serializer.validated_data["course"]
        enrolment = Enrolment(valid_from=term_starts([course.pk])[course.pk])
        serializer.instance = validate_and_save(enrolment, **serializer.validated_data)

    @extend_schema(request=serializers.EnrolmentChangeSerializer, responses=serializers.EnrolmentSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the first or last day. Set the last day when a student leaves the class."""
        enrolment = self.get_object_for_update()
        serializer = serializers.EnrolmentChangeSerializer(enrolment, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(validate_and_save(enrolment, **serializer.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete an enrolment that was made by mistake."""
        delete_enrolment(enrolment=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)


class LectureViewSet(
    LectureResultActions,
    LectureExportActions,
    LectureImportActions,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
):
    """Lectures, and what is made of them."""

    serializer_class = serializers.LectureSerializer
    filterset_class = filters.LectureFilter
    ordering_fields = ["starts_at", "ends_at"]
    ordering = ["-starts_at"]

    def get_queryset(self) -> QuerySet[Lecture]:
        return lectures_for(self.request.user).select_related("course", "room", "sign_off")

    def perform_create(self, serializer: BaseSerializer[Lecture]) -> None:
        serializer.instance = create_lecture(**serializer.validated_data)

    @extend_schema(request=serializers.LectureChangeSerializer, responses=serializers.LectureSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Move, rename, cancel or reinstate a lecture. Its series no longer changes it afterwards."""
        lecture = self.get_object_for_update()
        check_not_signed_off(request, lecture)
        serializer = serializers.LectureChangeSerializer(lecture, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        fields = serializers.LectureChangeSerializer.Meta.fields
        change_lecture(
            lecture=lecture, **{name: serializer.validated_data.get(name, getattr(lecture, name)) for name in fields}
        )
        return self.respond_with(lecture)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a lecture that has neither recordings nor attendance."""
        delete_lecture(lecture=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)
