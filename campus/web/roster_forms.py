"""The forms of a roster import: the file, how it is read, which column is what, and what a person decides."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.academics.file_contents import MAX_HEADER_ROW, Table
from campus.academics.roster_checks import choose_number
from campus.academics.roster_columns import FIELDS, guess_columns
from campus.academics.roster_plan import DoubtfulRow, RosterPlan
from campus.common.encodings import ENCODINGS
from campus.web.forms import DayField

SEPARATOR_NAMES = {
    ",": gettext_lazy("comma"),
    ";": gettext_lazy("semicolon"),
    "\t": gettext_lazy("tab"),
    "|": gettext_lazy("vertical bar"),
}
SAME, OTHER = "same", "other"
MAX_PAIRS = 200  # those beyond are decided for all
MAX_CLASSES = 5


class RosterFileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file or Excel workbook"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.xlsx,.txt"}),
        help_text=gettext_lazy("One column is the student number. You see a preview first."),
    )


class FormatForm(forms.Form):
    """How the file is read."""

    encoding = forms.ChoiceField(label=gettext_lazy("Encoding"), choices=list(ENCODINGS.items()))
    separator = forms.ChoiceField(label=gettext_lazy("Separator"), choices=list(SEPARATOR_NAMES.items()))
    sheet = forms.ChoiceField(label=gettext_lazy("Sheet"))
    header_row = forms.IntegerField(
        label=gettext_lazy("Row with the column names"),
        min_value=0,
        max_value=MAX_HEADER_ROW,
        help_text=gettext_lazy("0 where there is none."),
    )

    def __init__(self, data: QueryDict | None, *, table: Table) -> None:
        super().__init__(data, initial=asdict(table.format))
        self.fields["sheet"].choices = [(name, name) for name in table.sheets]  # type: ignore[attr-defined]
        for name, value in self.initial.items():
            if value is None:
                del self.fields[name]


class ColumnsForm(forms.Form):
    """Maps the columns of the file."""

    def __init__(self, *args: Any, table: Table, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        headers = [
            (
                str(index),
                header
                if header and table.format.header_row
                else _("column %(n)d: %(cell)s") % {"n": index + 1, "cell": table.rows[0][index][:30]},
            )
            for index, header in enumerate(table.headers)
        ]
        guessed = guess_columns(table.headers)
        for field, label in FIELDS.items():
            self.fields[field] = forms.ChoiceField(
                label=str(label).capitalize(),
                choices=[("", _("not in the file")), *headers],
                required=False,
                initial=str(guessed.get(field, "")),
            )

    def columns(self) -> dict[str, int]:
        return {field: int(index) for field, index in self.cleaned_data.items() if index}


class ImportForm(forms.Form):
    """What a person decides before an import: since when, who leaves, and who has another number now."""

    start = DayField(label=gettext_lazy("Students who join are enrolled from"), required=False)
    complete = forms.BooleanField(required=False)
    accept_departures = forms.BooleanField(required=False)
    all_people = forms.ChoiceField(
        label=gettext_lazy("For all"),
        required=False,
        choices=[
            ("", gettext_lazy("choose below")),
            (SAME, gettext_lazy("the same person")),
            (OTHER, gettext_lazy("two people")),
        ],
    )

    def __init__(self, *args: Any, plan: RosterPlan, **kwargs: Any) -> None:
        """`plan` is without decisions."""
        super().__init__(*args, **kwargs)
        self.plan = plan
        days = [f"{course.code}: {date_format(day)}" for course, day in plan.starts.items()]
        self.fields["start"].help_text = _(
            "Empty: from the first day of the term (%(days)s). Rows with a day of their own keep it."
        ) % {"days": ", ".join(days[:MAX_CLASSES])}
        if not days:
            del self.fields["start"]
        for row in plan.undecided[:MAX_PAIRS]:
            self.fields[f"person_{row.line}"] = forms.ChoiceField(
                required=False,
                choices=[
                    *(
                        (
                            str(student.pk),
                            _("The same person: the name is now %(name)s") % {"name": row.student.name}
                            if row.has_known_number
                            else _describe_same_person(student.number, row.student.number),
                        )
                        for student in row.existing
                    ),
                    (OTHER, _("Two people")),
                ],
                widget=forms.RadioSelect,
            )

    def pairs(self) -> list[tuple[DoubtfulRow, forms.BoundField]]:
        return [(row, self[f"person_{row.line}"]) for row in self.plan.undecided[:MAX_PAIRS]]

    def same_people(self) -> dict[str, int | None]:
        """What was chosen, for `plan_roster`."""
        chosen: dict[str, int | None] = {}
        for row in self.plan.undecided:
            choice = self.cleaned_data.get(f"person_{row.line}") or self.cleaned_data["all_people"]
            if choice == SAME and len(row.existing) == 1:
                choice = str(row.existing[0].pk)
            if choice not in ("", SAME):
                chosen[row.student.number] = None if choice == OTHER else int(choice)
        return chosen


def _describe_same_person(old: str, listed: str) -> str:
    new = choose_number(old, listed)
    if new == old:
        return _("The same person: the number stays %(number)s") % {"number": old}
    return _("The same person: %(old)s becomes %(new)s") % {"old": old, "new": new}
