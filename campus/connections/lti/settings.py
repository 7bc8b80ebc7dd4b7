"""The settings of a platform: what it says of itself, and what Rollcall shall make of what it sends."""

import re
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext_lazy as _

LONGEST = 500
_HOST = re.compile(r"[a-z0-9.-]+(:\d+)?")


class Lines(forms.CharField):
    """Several values, one a line; a list, in the form that is stored."""

    def __init__(self, **options: object) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 3}), **options)  # type: ignore[arg-type]

    def prepare_value(self, value: object) -> object:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: object) -> list[str]:  # type: ignore[override]
        lines = value if isinstance(value, list) else str(value or "").splitlines()
        return [str(line).strip() for line in lines if str(line).strip()]


class LtiSettings(forms.Form):
    issuer = forms.URLField(label=_("Issuer"), max_length=255, assume_scheme="https")
    client_id = forms.CharField(label=_("Client ID"), max_length=255)
    deployment_ids = Lines(
        label=_("Deployment IDs"),
        required=False,
        help_text=_("One a line. A launch from another one is refused, and the page says from which."),
    )
    auth_login_url = forms.URLField(label=_("Authentication request URL"), max_length=LONGEST, assume_scheme="https")
    token_url = forms.URLField(label=_("Access token URL"), max_length=LONGEST, assume_scheme="https")
    jwks_url = forms.URLField(label=_("Public keyset URL"), max_length=LONGEST, assume_scheme="https")
    token_audience = forms.CharField(
        label=_("Audience of token requests"),
        max_length=LONGEST,
        required=False,
        help_text=_("Empty: the access token URL, as most platforms want it."),
    )
    hosts = Lines(
        label=_("More hosts"),
        required=False,
        help_text=_("Of this platform, besides those in the addresses above, one a line, such as school.example.edu."),
    )
    number_from = forms.ChoiceField(
        label=_("Student number"),
        choices=[
            ("lis_person_sourcedid", _("the person's ID number (lis_person_sourcedid)")),
            ("ext_user_username", _("the user name (ext_user_username)")),
            ("email", _("the e-mail address")),
            ("user_id", _("the platform's own user ID")),
        ],
        required=False,
        help_text=_("What the platform sends as the student number that is known here."),
    )
    mark = forms.ChoiceField(
        label=_("Mark"),
        choices=[
            ("percent", _("per cent of the points, over the lectures that are signed off")),
            ("points", _("points")),
        ],
        required=False,
    )
    label = forms.CharField(label=_("Name of the mark there"), max_length=100, required=False)

    def clean_hosts(self) -> list[str]:
        hosts: list[str] = self.cleaned_data["hosts"]
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise forms.ValidationError(_("Write names of hosts, without https:// and without a path."))
        return hosts

    def clean_number_from(self) -> str:
        return str(self.cleaned_data["number_from"] or "lis_person_sourcedid")

    def clean_mark(self) -> str:
        return str(self.cleaned_data["mark"] or "percent")

    def clean_label(self) -> str:
        return str(self.cleaned_data["label"] or "Attendance")


def hosts_of(settings: dict[str, object]) -> set[str]:
    """The hosts that are the platform's."""
    named = (settings.get(name) for name in ("issuer", "auth_login_url", "token_url", "jwks_url"))
    more = settings.get("hosts")
    return {urlsplit(str(url)).netloc for url in named if url} | set(more if isinstance(more, list) else ())
