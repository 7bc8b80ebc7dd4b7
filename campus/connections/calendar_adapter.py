"""A calendar at an address, which is fetched on a schedule (`campus.connections.calendar_feeds`)."""

from django import forms
from django.core.files.base import ContentFile
from django.utils.translation import gettext_lazy as _

from campus.academics.file_imports import create_calendar_import
from campus.academics.models import Course
from campus.connections.calendar_feeds import last_day, update_from_feed
from campus.connections.models import Connection, ConnectionRun
from recognition.messages import Message


class CalendarForm(forms.Form):
    """The settings of a calendar. The connection's secret is the address: who knows it can read the calendar."""

    course = forms.ModelChoiceField(
        Course.objects.order_by("code"),
        label=_("class"),
        required=False,
        help_text=_("Empty: each entry is of the class whose code it names, as in the calendar of a room."),
    )

    def clean_course(self) -> int | None:
        course: Course | None = self.cleaned_data["course"]
        return course.pk if course else None


class CalendarAdapter:
    settings_form: type[forms.Form] = CalendarForm

    def check(self, connection: Connection) -> Message:
        """Fetch the calendar, and say what it would do."""
        outcome = update_from_feed(connection=connection, is_trial=True)
        return Message(
            "Now {new} lectures would be made, {changed} changed and {removed} cancelled; {kept} are left as they are. "
            "{remark}",
            new=outcome.counts["added"],
            changed=outcome.counts["changed"],
            removed=outcome.counts["removed"],
            kept=outcome.counts["kept"],
            remark=outcome.remark,
        )

    def sync(self, connection: Connection, run: ConnectionRun) -> Message:
        """Bring the lectures up to date. Who has asked for it gets a preview where that needs a person."""
        outcome = update_from_feed(
            connection=connection, is_trial=connection.dry_run, whatever_it_said=run.user is not None
        )
        run.counts = {name: n for name, n in outcome.counts.items() if n}
        if outcome.questions and run.user:
            chosen = connection.settings.get("course")
            run.file_import = create_calendar_import(
                file=ContentFile(outcome.calendar),
                name=f"{connection.name}.ics",
                course=Course.objects.get(pk=chosen) if chosen else None,
                user=run.user,
                until=last_day(),
            )
        return outcome.remark
