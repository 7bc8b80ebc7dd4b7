"""Classes, students, who is enrolled where, and lectures."""

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
from campus.academics.selectors import courses_for, lectures_for, students_for
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
from campus.api.base import Endpoint, IsRegistrar, IsRegistrarOrReadOnly, who
from campus.api.serializers import academics as s
from campus.api.serializers.attendance import ClassHistorySerializer, ClassWeeksSerializer
from campus.api.serializers.common import DaysSerializer
from campus.api.views.attendance import LectureResult
from campus.api.views.calendars import LectureCalendars
from campus.api.views.documents import CourseFiles, LectureFiles
from campus.api.views.rosters import CourseRoster
from campus.api.views.uploads import check_not_signed_off
from campus.attendance.guests import merge_guest
from campus.attendance.history import course_histories, student_history
from campus.attendance.services import save_policy
from campus.biometrics.models import Gallery
from campus.biometrics.services import set_embedder


class MeView(APIView):
    @extend_schema(responses=s.MeSerializer)
    def get(self, request: Request) -> Response:
        """Who you are, and your role."""
        return Response(s.MeSerializer(who(request)).data, headers={"Cache-Control": "no-store"})

    @extend_schema(request=s.LanguageSerializer, responses=s.MeSerializer)
    def patch(self, request: Request) -> Response:
        """Choose the language of your pages, and of letters to you."""
        wish = s.LanguageSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        set_language(user=who(request), **wish.validated_data)
        return self.get(request)


class CourseViewSet(
    CourseFiles, CourseRoster, mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin
):
    serializer_class = s.CourseSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.CourseFilter
    ordering_fields = ["code", "name"]
    ordering = ["code"]

    def get_queryset(self) -> QuerySet[Course]:
        in_use = Prefetch("galleries", Gallery.objects.filter(active=True), to_attr="galleries_in_use")
        return courses_for(self.request.user).select_related("register_policy").prefetch_related("lecturers", in_use)

    @extend_schema(responses={201: s.CourseSerializer})
    @transaction.atomic
    def create(self, request: Request) -> Response:
        """A new class."""
        wish = self.get_serializer(data=request.data)
        wish.is_valid(raise_exception=True)
        facts = dict(wish.validated_data)
        policy = facts.pop("register_policy", {})
        course = save_course(course=Course(), **facts)
        if policy:
            save_policy(course=course, **policy)
        return self.shown(course, status.HTTP_201_CREATED)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a class: who teaches it, its policy, how sure the machine must be, what compares the faces."""
        course = self.object_to_change()
        wish = self.get_serializer(course, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        changes = dict(wish.validated_data)
        embedder, policy = changes.pop("embedder", course.embedder), changes.pop("register_policy", {})
        save_course(course=course, **changes)
        if policy:
            save_policy(course=course, **policy)
        if embedder != course.embedder:
            set_embedder(course=course, embedder=embedder)
        return self.shown(course)

    @extend_schema(parameters=[s.WeeklySerializer], responses=ClassWeeksSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None, filter_backends=[])
    def weekly(self, request: Request) -> Response:
        """Classes beside each other, week by week."""
        wish = s.WeeklySerializer(data=request.query_params, context=self.get_serializer_context())
        wish.is_valid(raise_exception=True)
        given = dict(wish.validated_data)
        return Response(ClassWeeksSerializer(course_histories(given.pop("course"), **given), many=True).data)


class StudentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Student]):
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.StudentFilter
    ordering_fields = ["number", "name"]
    ordering = ["name"]

    def get_queryset(self) -> QuerySet[Student]:
        return students_for(self.request.user)

    def get_serializer_class(self) -> type[ModelSerializer[Student]]:
        office = getattr(self, "swagger_fake_view", False) or sees_everything(self.request.user)
        return s.StudentFileSerializer if office else s.StudentSerializer

    def perform_create(self, serializer: BaseSerializer[Student]) -> None:
        serializer.instance = validate_and_save(Student(), **serializer.validated_data)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a student."""
        student = self.object_to_change()
        wish = self.get_serializer(student, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        return self.shown(validate_and_save(student, **wish.validated_data))

    @extend_schema(parameters=[DaysSerializer], responses=ClassHistorySerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def history(self, request: Request, pk: str) -> Response:
        """A student in all classes that you may see, lecture by lecture."""
        student = self.get_object()
        days = DaysSerializer(data=request.query_params)
        days.is_valid(raise_exception=True)
        return Response(
            ClassHistorySerializer(student_history(who(request), student, **days.validated_data), many=True).data
        )

    @extend_schema(request=s.MergeSerializer, responses=s.StudentFileSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def merge(self, request: Request, pk: str) -> Response:
        """The guest turns out to be this student: what is known of the two becomes one person's. Answers with the
        student.
        """
        guest = self.get_object()
        wish = s.MergeSerializer(data=request.data, context=self.get_serializer_context())
        wish.is_valid(raise_exception=True)
        merge_guest(guest=guest, student=wish.validated_data["student"], user=who(request))
        return self.shown(wish.validated_data["student"])


class EnrolmentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Enrolment]):
    serializer_class = s.EnrolmentSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.EnrolmentFilter
    ordering_fields = ["id", "valid_from"]
    ordering = ["id"]

    def get_queryset(self) -> QuerySet[Enrolment]:
        return Enrolment.objects.filter(course__in=courses_for(self.request.user))

    def perform_create(self, serializer: BaseSerializer[Enrolment]) -> None:
        serializer.instance = validate_and_save(Enrolment(), **serializer.validated_data)

    @extend_schema(request=s.EnrolmentChangeSerializer, responses=s.EnrolmentSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change from when to when. Who leaves the class gets a last day."""
        enrolment = self.object_to_change()
        wish = s.EnrolmentChangeSerializer(enrolment, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        return self.shown(validate_and_save(enrolment, **wish.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Take back an enrolment that was made by mistake."""
        delete_enrolment(enrolment=self.object_to_change())
        return Response(status=status.HTTP_204_NO_CONTENT)


class LectureViewSet(
    LectureResult,
    LectureFiles,
    LectureCalendars,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
):
    serializer_class = s.LectureSerializer
    filterset_class = filters.LectureFilter
    ordering_fields = ["starts_at", "ends_at"]
    ordering = ["-starts_at"]

    def get_queryset(self) -> QuerySet[Lecture]:
        return lectures_for(self.request.user).select_related("course", "room", "sign_off")

    def perform_create(self, serializer: BaseSerializer[Lecture]) -> None:
        serializer.instance = create_lecture(**serializer.validated_data)

    @extend_schema(request=s.LectureChangeSerializer, responses=s.LectureSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Move, rename, cancel or bring back a lecture. Its series leaves it alone from then on."""
        lecture = self.object_to_change()
        check_not_signed_off(request, lecture)
        wish = s.LectureChangeSerializer(lecture, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        fields = s.LectureChangeSerializer.Meta.fields
        change_lecture(
            lecture=lecture, **{name: wish.validated_data.get(name, getattr(lecture, name)) for name in fields}
        )
        return self.shown(lecture)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a lecture of which nothing was recorded or counted."""
        delete_lecture(lecture=self.object_to_change())
        return Response(status=status.HTTP_204_NO_CONTENT)
