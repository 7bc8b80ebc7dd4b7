"""Terms: when they are, which days of them are free, and their classes."""

from collections.abc import Collection
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.widgets import CHECKBOX_CLASSES, UnfoldAdminSelectWidget

from campus.academics.models import Course, Holiday, Term
from campus.academics.public_holidays import countries, public_holidays, regions, set_public_holidays
from campus.web.admin.base import RegistrarAdmin, count_subquery, render_badge, render_change_link, render_link
from campus.web.admin.timetable import days_text, preview_after_holidays

PUBLIC_HOLIDAY_PERMISSIONS = ("academics.change_term", "academics.add_holiday", "academics.delete_holiday")


class PlaceForm(forms.Form):
    """Whose public holidays: a country, and one of its regions."""

    country = forms.ChoiceField(label=gettext_lazy("Country"), widget=UnfoldAdminSelectWidget())
    region = forms.ChoiceField(
        label=gettext_lazy("Region"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("Some regions have holidays of their own."),
    )

    def __init__(self, place: dict[str, str]) -> None:
        country = place.get("country", "")
        known = regions(country)
        region = place.get("region", "")
        chosen = {"country": country, "region": region if region in dict(known) else ""}
        super().__init__(chosen if country else None)  # nothing is missing yet where nothing is chosen
        self.fields["country"].choices = [("", "---------"), *countries()]  # type: ignore[attr-defined]
        self.fields["region"].choices = [("", _("The whole country")), *known]  # type: ignore[attr-defined]
        if not known:
            del self.fields["region"]


@admin.register(Term)
class TermAdmin(RegistrarAdmin):
    list_display = ("name", "first_day", "last_day", "classes", "state")
    search_fields = ("name",)
    list_filter = ("archived",)
    readonly_fields = ("free_days",)
    actions_detail = ("holidays",)

    def get_fieldsets(self, request: HttpRequest, obj: Term | None = None) -> Any:
        days = ("name", ("first_day", "last_day"))
        return [(None, {"fields": (*days, "archived", "free_days") if obj else days})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Term]:
        classes = Course.objects.filter(term=OuterRef("pk"))
        return super().get_queryset(request).annotate(n=count_subquery(classes, "term"))

    @display(description=gettext_lazy("Classes"), ordering="n")
    def classes(self, term: Any) -> SafeString:
        query = {"term__id__exact": term.pk, "archived": "all"}
        return render_link(reverse("admin:academics_course_changelist", query=query), term.n)

    @display(description=gettext_lazy("State"), ordering="archived")
    def state(self, term: Term) -> SafeString | str:
        return render_badge(_("archived")) if term.archived else ""

    @display(description=gettext_lazy("Days without lectures"))
    def free_days(self, term: Term) -> SafeString | str:
        found = Holiday.objects.filter(first_day__lte=term.last_day, last_day__gte=term.first_day)
        rows = ((render_change_link(row), days_text(row.first_day, row.last_day)) for row in found)
        return format_html_join("", "<p>{}: {}</p>", rows) or _(
            "None yet. Public holidays can be taken from a list, closed days are added under “Holidays”."
        )

    def has_holidays_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perms(PUBLIC_HOLIDAY_PERMISSIONS)

    @action(
        description=gettext_lazy("Public holidays"),
        url_path="public-holidays",
        icon="beach_access",
        permissions=["holidays"],
    )
    def holidays(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The public holidays of a place, each with a box; a POST makes the ticked ones days without lectures."""
        term = get_object_or_404(Term, pk=object_id)
        form = PlaceForm(request.GET.dict() if "country" in request.GET else _usual_place(term))
        names: dict[date, str] = {}
        chosen: Collection[date] = ()
        if form.is_valid():
            place = {"country": form.cleaned_data["country"], "region": form.cleaned_data.get("region", "")}
            names = public_holidays(**place, first=term.first_day, last=term.last_day)
            if request.method == "POST":
                ticked = request.POST.getlist("day")
                set_public_holidays(term=term, **place, days=[day for day in names if day.isoformat() in ticked])
                messages.success(request, _("Public holidays saved."))
                back = redirect("admin:academics_term_change", object_id)
                return preview_after_holidays(request, term.first_day, term.last_day) or back
            is_saved = place == {"country": term.country, "region": term.region}
            saved = Holiday.objects.filter(public=True, first_day__range=(term.first_day, term.last_day))
            chosen = saved.values_list("first_day", flat=True) if is_saved else names
        context = {
            **self.admin_site.each_context(request),
            "title": _("Public holidays in %(term)s") % {"term": term},
            "form": form,
            "days": [(day, name, day in chosen) for day, name in names.items()],
            "place": urlencode(form.data),
            "checkbox_classes": " ".join(CHECKBOX_CLASSES),
        }
        return TemplateResponse(request, "admin/rollcall/public_holidays.html", context)


def _usual_place(term: Term) -> dict[str, str]:
    """The term's country and region, or those of the latest term that has some."""
    latest = Term.objects.exclude(country="").order_by("-first_day").first()
    source = term if term.country or latest is None else latest
    return {"country": source.country, "region": source.region}
