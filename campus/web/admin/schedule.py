"""When the program's regular work runs. The rows are the program's; a person says how often, or when, and whether
at all."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import time_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_celery_beat import models as beat
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminIntegerFieldWidget, UnfoldAdminTimeWidget

from campus.academics.models import WEEKDAYS
from campus.common.periodic_tasks import (
    MAX_INTERVAL_MINUTES,
    PERIODIC_JOBS,
    interval_minutes,
    schedule_at,
    schedule_every,
    scheduled_time,
)
from campus.web.admin.base import RegistrarAdmin, format_moment, render_badge

for model in (beat.ClockedSchedule, beat.CrontabSchedule, beat.IntervalSchedule, beat.PeriodicTask, beat.SolarSchedule):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

LABELS = {job.name: job.label for job in PERIODIC_JOBS if job.label}


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]
    every = forms.IntegerField(
        label=gettext_lazy("Interval in minutes"),
        min_value=1,
        max_value=MAX_INTERVAL_MINUTES,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=gettext_lazy("60 is hourly, 1440 is daily."),
    )
    at = forms.TimeField(label=gettext_lazy("At"), widget=UnfoldAdminTimeWidget())
    days = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days of the week"),
        choices=WEEKDAYS,
        coerce=int,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    class Meta:
        model = beat.PeriodicTask
        fields = ("enabled",)
        labels = {"enabled": gettext_lazy("Enabled")}
        help_texts = {"enabled": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if times := scheduled_time(self.instance):
            self.initial.update({"at": times[0], "days": times[1]})
        else:
            self.initial.update({"every": interval_minutes(self.instance)})


@admin.register(beat.PeriodicTask)
class PeriodicTaskAdmin(RegistrarAdmin):
    form = ScheduleForm
    list_display = ("what", "when", "in_use", "last_run")
    readonly_fields = ("what", "when", "in_use", "last_run")
    ordering = ("name",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[beat.PeriodicTask]:
        return super().get_queryset(request).filter(name__in=LABELS).select_related("interval", "crontab")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if task := super().get_object(request, object_id, from_field):
            setattr(task, "heading", self.what(task))  # noqa: B010 - the page's title, which is no field
        return task

    def get_fieldsets(self, request: HttpRequest, obj: beat.PeriodicTask | None = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": ("what", "when", "in_use", "last_run")})]
        when = ("at", "days") if obj and obj.crontab else ("every",)
        return [(None, {"fields": ("what", *when, "enabled", "last_run")})]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Only the fields of the task's kind of schedule are shown."""
        kwargs["fields"] = ("enabled",)
        form = super().get_form(request, obj, change, **kwargs)
        for name in ("every",) if obj and obj.crontab else ("at", "days"):
            form.base_fields.pop(name, None)
        return form

    @display(description=gettext_lazy("What"), ordering="name")
    def what(self, task: beat.PeriodicTask) -> str:
        return str(LABELS.get(task.name, task.name))

    @display(description=gettext_lazy("When"))
    def when(self, task: beat.PeriodicTask) -> str:
        if times := scheduled_time(task):
            at, days = times
            which = _("every day") if len(days) == 7 else ", ".join(str(WEEKDAYS[day][1]) for day in days)
            return f"{which}, {time_format(at, 'H:i')}"
        minutes = interval_minutes(task) or 1
        if minutes % 60 == 0:
            return ngettext("every hour", "every %(n)d hours", minutes // 60) % {"n": minutes // 60}
        return ngettext("every minute", "every %(n)d minutes", minutes) % {"n": minutes}

    @display(description=gettext_lazy("Enabled"), ordering="enabled")
    def in_use(self, task: beat.PeriodicTask) -> SafeString:
        return render_badge(_("yes"), "success") if task.enabled else render_badge(_("no"), "warning")

    @display(description=gettext_lazy("Last run"), ordering="last_run_at")
    def last_run(self, task: beat.PeriodicTask) -> Any:
        return task.last_run_at and format_moment(task.last_run_at)

    def save_model(self, request: HttpRequest, obj: beat.PeriodicTask, form: Any, change: bool) -> None:
        if "every" in form.cleaned_data:
            schedule_every(task=obj, minutes=form.cleaned_data["every"])
        else:
            schedule_at(task=obj, at=form.cleaned_data["at"], days=form.cleaned_data["days"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
