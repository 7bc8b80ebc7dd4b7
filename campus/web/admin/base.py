"""Base classes and helpers of the admin pages."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, Field, IntegerField, Model, ProtectedError, Q, QuerySet, RestrictedError, Subquery
from django.db.models.deletion import Collector
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campus.academics.models import Course
from campus.academics.selectors import CURRENT, current_courses_for
from campus.common.days import FIRST_DAY, LAST_DAY
from campus.common.errors import UserError
from campus.privacy.retention_models import LegallyHeld
from campus.web.forms import DayInput

Form = TypeVar("Form", bound=forms.Form)
ADMIN_WIDGETS: dict[type[forms.Widget], type[forms.Widget]] = {
    forms.CheckboxInput: UnfoldBooleanSwitchWidget,
    forms.FileInput: UnfoldAdminFileFieldWidget,
    forms.NumberInput: UnfoldAdminIntegerFieldWidget,
    forms.RadioSelect: UnfoldAdminRadioSelectWidget,
    forms.Select: UnfoldAdminSelectWidget,
    DayInput: UnfoldAdminTextInputWidget,
}


def use_admin_widgets(form: Form) -> Form:
    """Give the fields of a form of the staff's pages the look of the admin."""
    for field in form.fields.values():
        plain = field.widget
        if widget := ADMIN_WIDGETS.get(type(plain)):
            kind = {"type": plain.input_type} if isinstance(plain, DayInput) else {}
            field.widget = widget(attrs=plain.attrs | kind)
            if isinstance(field, forms.ChoiceField):
                field.widget.choices = field.choices
    return form


class CourseForm(forms.Form):
    """A form with a field for one of the user's classes, or for what `no_course` says instead."""

    no_course: Any
    course_help: Any = ""
    course = forms.ModelChoiceField(
        Course.objects.none(), label=gettext_lazy("Class"), required=False, widget=UnfoldAdminSelectWidget()
    )
    field_order = ("file",)

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        course = cast("forms.ModelChoiceField[Course]", self.fields["course"])
        course.queryset, course.empty_label = current_courses_for(request.user), self.no_course
        course.help_text = self.course_help


class CourseFilter(RelatedDropdownFilter):
    """By class: those that are not archived, and the one that is chosen."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        chosen = [key for key in self.lookup_val or () if key.isdecimal() and len(key) < 19]
        ordering = self.field_admin_ordering(field, request, model_admin)
        shown = CURRENT | Q(pk__in=chosen)
        return list(field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=shown))


class KeyCheckMixin(ModelAdmin):
    """A key that no row can have, like “x” for a number, is not found. What is refused, such as a deletion under a
    legal hold, is said on the page where it was asked for.
    """

    def get_urls(self) -> list[URLPattern]:
        patterns: list[URLPattern] = super().get_urls()
        for pattern in patterns:
            pattern.callback = self._check_key(pattern.callback)
        return patterns

    def _check_key(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def checked_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                self.opts.pk.to_python(kwargs.get("object_id"))
            except ValidationError as error:
                raise Http404 from error
            try:
                return view(request, *args, **kwargs)
            except UserError as error:
                if request.method != "POST":
                    raise
                messages.error(request, str(error))
                if object_id := kwargs.get("object_id"):
                    return redirect_to_change(request, self.model, object_id)
                return redirect(request.get_full_path())

        return checked_view


class RowCollector(Collector):
    """Collects what a deletion would take along: rows in `data`, and queries in `fast_deletes` for those to which
    nothing belongs, such as the thousands of segments of a class; and rows that must not go in `protected`.

    Django's NestedObjects does so too, but loads each row with its parents, to show them as a tree.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.protected: set[Model] = set()

    def collect(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().collect(*args, **kwargs)
        except ProtectedError as error:
            self.protected |= error.protected_objects
        except RestrictedError as error:
            self.protected |= error.restricted_objects
        except LegallyHeld as error:
            self.protected.add(error.hold)

    def rows_by_model(self) -> Iterator[tuple[type[Model], int, Iterable[Model]]]:
        """The model, the number and the rows of each kind that would go."""
        for model, rows in self.data.items():
            yield model, len(rows), rows
        queries: dict[type[Model], QuerySet[Any]] = {}
        for query in self.fast_deletes:  # several may lead to the same rows
            queries[query.model] = queries[query.model] | query if query.model in queries else query
        for model, query in queries.items():
            if n := query.count():
                yield model, n, query


class DeletionSummaryMixin(KeyCheckMixin):
    """Before a deletion, says how many rows of each kind go too. Django lists every row, with a query for each."""

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The number of rows of each kind that would be deleted, and of those that must not be."""
        collector = RowCollector(using=DEFAULT_DB_ALIAS, origin=objs)
        collector.collect(objs)
        protected = Counter(type(row) for row in collector.protected)
        numbers: dict[str, int] = {}
        for model, n, rows in collector.rows_by_model():
            numbers[str(model._meta.verbose_name_plural)] = n
            if model in self.admin_site._registry and not self._may_delete(request, model, rows):
                protected[model] += n
        names = [
            f"{n} {model._meta.verbose_name if n == 1 else model._meta.verbose_name_plural}"
            for model, n in protected.items()
        ]
        return [str(row) for row in objs], numbers, set(), sorted(names)

    def _may_delete(self, request: HttpRequest, model: type[Model], rows: Iterable[Model]) -> bool:
        admin = self.admin_site.get_model_admin(model)
        if model is self.model:
            return all(admin.has_delete_permission(request, row) for row in rows)
        return bool(admin.has_delete_permission(request))


class RegistrarAdmin(DeletionSummaryMixin):
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = True
    list_per_page = 30  # a class


class MomentRangeFilter(RangeDateTimeFilter):
    """From one moment to another, in the language and the time zone of the page. A day without a time is all of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for end, time in (("from", "00:00:00"), ("to", "23:59:59")):
            if self.used_parameters.get(f"{self.parameter_name}_{end}_0"):
                self.used_parameters[f"{self.parameter_name}_{end}_1"] = (
                    self.used_parameters.get(f"{self.parameter_name}_{end}_1") or time
                )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        form = self.form_class(name=self.parameter_name, data=self.used_parameters)
        if not form.is_valid():
            return queryset.none()  # the form says why
        first, last = (form.cleaned_data[f"{self.parameter_name}_{end}"] for end in ("from", "to"))
        if any(moment and not FIRST_DAY <= moment.date() <= LAST_DAY for moment in (first, last)):
            return queryset.none()
        if first:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{self.parameter_name}__lte": last.replace(microsecond=999_999)})
        return queryset


class ReadOnlyMixin:
    """No rows are added, changed or deleted in the admin."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(ReadOnlyMixin, TabularInline):
    extra = 0
    max_num = 0
    can_delete = False
    tab = True
    hide_title = True


class PreloadedChoices:
    """The choices of a search field: the selected row is at hand, others are queried."""

    def __init__(self, row: Model, others: QuerySet[Any]) -> None:
        self.row, self.others = row, others

    def using(self, _database: str) -> "PreloadedChoices":
        return self

    def filter(self, **chosen: Any) -> "list[Model] | QuerySet[Any]":
        (keys,) = chosen.values()
        return [self.row] if {str(key) for key in keys} == {str(self.row.pk)} else self.others.filter(**chosen)


class PreloadedChoicesForm(forms.ModelForm):  # type: ignore[type-arg]
    """For inlines that load related rows with one join: Django would query the selected choice of each row again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, row in self.instance._state.fields_cache.items():
            field = self.fields.get(name)
            if isinstance(field, forms.ModelChoiceField) and field.queryset is not None and row is not None:
                field.widget.choices.queryset = PreloadedChoices(row, field.queryset)


def call_service(request: HttpRequest, service: Callable[[], Any], success: str) -> Any:
    """Call a service and report success or its error. Returns its result, or None after an error."""
    try:
        result = service()
    except UserError as error:
        messages.error(request, str(error))
        return None
    if success:
        messages.success(request, success)
    return result


def call_for_each(request: HttpRequest, queryset: QuerySet[Any], service: Callable[[Any], Any], success: str) -> None:
    """Call a service for each selected row, and report every error."""
    done = 0
    for row in queryset:
        try:
            service(row)
            done += 1
        except UserError as error:
            messages.error(request, f"{row}: {error}")
    if done:
        messages.success(request, f"{success}: {done}.")


def redirect_to_change(request: HttpRequest, model: type[Model], pk: object) -> HttpResponseBase:
    """Redirect to the page of the row."""
    return redirect_from_dialog(
        request, reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
    )


def redirect_from_dialog(request: HttpRequest, url: str) -> HttpResponseBase:
    """Redirect after a dialog, which htmx submits, or after a plain form."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


def confirm_dialog(title: object, description: object, submit: object) -> dict[str, object]:
    """A dialog that asks before an action runs."""
    return {"title": title, "description": description, "form_class": None, "form_submit_text": submit}


def count_subquery(queryset: QuerySet[Any], group: str) -> Coalesce:
    """An annotation that counts the rows of `queryset`, which refers to the outer row by its field `group`."""
    output: Field[Any, Any] = IntegerField()
    return Coalesce(
        Subquery(
            queryset.order_by().values(group).annotate(n=Count("pk", distinct=True)).values("n"), output_field=output
        ),
        0,
    )


def render_badge(text: str, variant: str = "") -> SafeString:
    """A coloured label; `variant` is success, info, warning, danger or empty."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "variant": variant})


def format_moment(moment: datetime) -> str:
    """The moment in local time, short enough for lists."""
    return date_format(timezone.localtime(moment), _("D j M Y, H:i"))


def signed_in_user(request: HttpRequest) -> User:
    """The user; everybody in the admin is signed in."""
    return cast(User, request.user)


def render_link(url: str, text: object) -> SafeString:
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500 font-medium">{}</a>', url, text)


def render_change_link(row: Model) -> SafeString:
    return render_link(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]), row)
