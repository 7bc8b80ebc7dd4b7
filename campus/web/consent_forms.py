"""Forms about whose faces may be recognised."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.accounts.models import Institution
from campus.consent.selectors import current_texts
from campus.web.forms import DayField


class BasisForm(forms.ModelForm):  # type: ignore[type-arg]
    """By what right the institution recognises faces, and whether it does at all."""

    class Meta:
        model = Institution
        fields = ("legal_basis", "basis_text", "automatic_marking", "objection_days")
        widgets = {"basis_text": forms.Textarea({"rows": 4})}
        help_texts = {
            "legal_basis": gettext_lazy("With another basis nobody is asked. Students read its text on their page."),
            "basis_text": gettext_lazy("Which law or decision it is, since when, and who has approved it."),
            "automatic_marking": gettext_lazy(
                "Off: no recording is counted, and what is known of faces is deleted within an hour."
            ),
        }

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("legal_basis") == Institution.LegalBasis.OTHER and not values.get("basis_text", "").strip():
            self.add_error("basis_text", _("Write which legal basis it is: students read it."))
        return values


class ConsentTextForm(forms.Form):
    """A new version of what students are asked to agree to, in each language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = {text.language: text.text for text in current_texts()}
        for code, name in settings.LANGUAGES:
            self.fields[f"text_{code}"] = forms.CharField(
                label=name,
                max_length=20_000,
                initial=present.get(code, ""),
                widget=forms.Textarea({"rows": 12, "lang": code}),
                help_text=_("{institution} stands for the institution's name."),
            )

    @property
    def texts(self) -> dict[str, str]:
        """The text of each language, by its code."""
        return {code: self.cleaned_data[f"text_{code}"] for code, _name in settings.LANGUAGES}


class AnswerForm(forms.Form):
    """An answer that somebody else writes down for a student."""

    student = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    given = forms.ChoiceField(choices=[("yes", ""), ("no", "")])
    on = DayField(required=False)
