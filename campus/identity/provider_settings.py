"""The settings of each kind of provider: a form, which the admin shows and which checks what is stored."""

from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
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


class SamlSettings(ProviderSettings):
    """One identity provider, by its metadata or their address; or a federation, by MDQ and a page to choose from."""

    metadata_xml = forms.CharField(
        label=_("Metadata of the identity provider"),
        required=False,
        max_length=500_000,
        widget=forms.Textarea,
        help_text=_("The file itself. Or leave it empty, and give an address."),
    )
    metadata_url = forms.URLField(
        label=_("Address of the metadata"),
        required=False,
        max_length=1000,
        assume_scheme="https",
        help_text=_("They are fetched anew every six hours."),
    )
    mdq_url = forms.URLField(
        label=_("Federation: address of its metadata query service (MDQ)"),
        required=False,
        max_length=1000,
        assume_scheme="https",
        help_text=_("Without /entities. Such as https://mdq.aai.dfn.de for DFN-AAI and eduGAIN."),
    )
    discovery_url = forms.URLField(
        label=_("Federation: page on which people choose their university"),
        required=False,
        max_length=1000,
        assume_scheme="https",
        help_text=_("Such as https://service.seamlessaccess.org/ds/."),
    )
    home_scope = forms.CharField(
        label=_("Federation: scope of your own university"),
        required=False,
        max_length=255,
        help_text=_(
            "Such as example.edu. Of all others, nothing is read but names, e-mail addresses and what has a scope: no "
            "user name, student number or group."
        ),
    )
    signing_certificate = forms.CharField(
        label=_("Certificate that signs the metadata (PEM)"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea,
        help_text=_("A federation publishes it. Required for MDQ."),
    )
    entity_categories = forms.CharField(
        label=_("Entity categories"),
        required=False,
        max_length=2000,
        help_text=_(
            "Addresses, separated by spaces, such as https://refeds.org/category/code-of-conduct/v2. The federation "
            "decides whether they are yours."
        ),
    )
    contact_email = forms.EmailField(label=_("E-mail address of the technical contact"), required=False)
    privacy_url = forms.URLField(
        label=_("Address of the privacy statement"), required=False, max_length=1000, assume_scheme="https"
    )

    def clean_home_scope(self) -> str:
        return str(self.cleaned_data["home_scope"]).strip().lower()

    def clean_signing_certificate(self) -> str:
        return _checked_certificate(str(self.cleaned_data["signing_certificate"]))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        given = [name for name in ("metadata_xml", "metadata_url", "mdq_url") if data.get(name)]
        if len(given) != 1 and not self.errors:
            raise forms.ValidationError(
                _("Give one of these: the metadata, their address, or the federation's query service.")
            )
        if data.get("mdq_url") and not (data.get("signing_certificate") and data.get("discovery_url")):
            raise forms.ValidationError(
                _("A federation needs its certificate, and the page on which people choose their university.")
            )
        return data


class LdapSettings(ProviderSettings):
    server = forms.CharField(
        label=_("Server"),
        max_length=500,
        help_text=_("ldaps://ldap.example.edu, or ldap://ldap.example.edu for StartTLS. Nothing is sent without TLS."),
    )
    ca_certificate = forms.CharField(
        label=_("Certificate of the authority (PEM)"),
        required=False,
        max_length=50_000,
        widget=forms.Textarea,
        help_text=_("Empty: those of the system vouch for the server."),
    )
    bind_dn = forms.CharField(
        label=_("Account that searches (bind DN)"),
        required=False,
        max_length=500,
        help_text=_("Its password is the secret below. Empty: the directory answers everybody."),
    )
    people_base = forms.CharField(
        label=_("Where people are"), max_length=500, help_text=_("Such as ou=people,dc=example,dc=edu.")
    )
    people_filter = forms.CharField(
        label=_("Filter for a person"),
        required=False,
        max_length=500,
        empty_value="(uid={user})",
        initial="(uid={user})",
        help_text=_("{user} is what was typed. Active Directory: (sAMAccountName={user})."),
    )
    subject_attribute = forms.CharField(
        label=_("Attribute that never changes"),
        required=False,
        max_length=100,
        empty_value="entryUUID",
        initial="entryUUID",
        help_text=_("Active Directory: objectGUID."),
    )
    groups_base = forms.CharField(
        label=_("Where groups are"),
        required=False,
        max_length=500,
        help_text=_("Empty: groups are those in the person's own entry (memberOf)."),
    )
    groups_filter = forms.CharField(
        label=_("Filter for the groups of a person"),
        required=False,
        max_length=500,
        empty_value="(|(member={dn})(uniqueMember={dn})(memberUid={user}))",
        initial="(|(member={dn})(uniqueMember={dn})(memberUid={user}))",
        help_text=_(
            "{dn} is the person's entry. Groups in groups of an Active Directory: "
            "(member:1.2.840.113556.1.4.1941:={dn})."
        ),
    )

    def clean_server(self) -> str:
        server = str(self.cleaned_data["server"]).strip()
        try:
            address = urlsplit(server)
            is_valid = address.scheme in ("ldap", "ldaps") and address.hostname and (address.port or True)
        except ValueError:
            is_valid = False
        if not is_valid or address.path.strip("/") or address.query or address.username:
            raise forms.ValidationError(
                _("Write ldaps:// or ldap://, the name of the server, and a port if it is unusual.")
            )
        return server

    def clean_ca_certificate(self) -> str:
        return _checked_certificate(str(self.cleaned_data["ca_certificate"]))

    def clean_people_filter(self) -> str:
        text = str(self.cleaned_data["people_filter"])
        if "{user}" not in text:
            raise forms.ValidationError(_("The filter has no {user} in it: it would find everybody."))
        return text


def _checked_certificate(text: str) -> str:
    if text:
        try:
            x509.load_pem_x509_certificates(text.encode())
        except ValueError:
            raise forms.ValidationError(_("This is not a certificate in PEM.")) from None
    return text.replace("\r\n", "\n")


SETTINGS: Final[dict[str, type[ProviderSettings]]] = {"oidc": OidcSettings, "saml": SamlSettings, "ldap": LdapSettings}


def settings_form(kind: str, data: dict[str, Any]) -> ProviderSettings:
    """The settings of a provider of this kind, to check: `cleaned_data` has what is to be stored."""
    return SETTINGS.get(kind, ProviderSettings)(data)
