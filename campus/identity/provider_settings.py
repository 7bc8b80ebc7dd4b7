"""The settings of each kind of provider: a form, which the admin shows and which checks what is stored."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _


class ProviderSettings(forms.Form):
    """A kind without settings, and what those of all kinds have in common."""


class OidcSettings(ProviderSettings):
    issuer = forms.URLField(
        label=_("Issuer"),
        max_length=255,
        assume_scheme="https",
        help_text=_("The address under which the provider has /.well-known/openid-configuration."),
    )
    client_id = forms.CharField(label=_("Client ID"), max_length=255)
    scopes = forms.CharField(
        label=_("Scopes"),
        max_length=500,
        required=False,
        empty_value="openid profile email",
        initial="openid profile email",
        help_text=_("Separated by spaces. Claims with groups often want one more, such as groups."),
    )

    def clean_scopes(self) -> str:
        scopes = str(self.cleaned_data["scopes"]).split()
        return " ".join(dict.fromkeys(["openid", *scopes]))


SETTINGS: Final[dict[str, type[ProviderSettings]]] = {"oidc": OidcSettings}


def settings_form(kind: str, data: dict[str, Any]) -> ProviderSettings:
    """The settings of a provider of this kind, to check: `cleaned_data` has what is to be stored."""
    return SETTINGS.get(kind, ProviderSettings)(data)
