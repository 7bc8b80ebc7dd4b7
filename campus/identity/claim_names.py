"""Names of OpenID Connect for what directories, federations and Microsoft's products call otherwise."""

from collections.abc import Mapping
from typing import Final

_XMLSOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_MICROSOFT = "http://schemas.microsoft.com"
OTHER_NAMES: Final = {
    "email": ("mail", f"{_XMLSOAP}emailaddress"),
    "given_name": ("givenName", f"{_XMLSOAP}givenname"),
    "family_name": ("sn", "surname", f"{_XMLSOAP}surname"),
    "name": ("displayName", "cn", f"{_MICROSOFT}/identity/claims/displayname"),
    "preferred_username": ("uid", "sAMAccountName", "eduPersonPrincipalName", f"{_XMLSOAP}name"),
    "groups": ("isMemberOf", "memberOf", f"{_MICROSOFT}/ws/2008/06/identity/claims/groups"),
}


def with_standard_names(claims: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The claims, with those that are known by another name under the standard one, too."""
    standard = {
        name: next((claims[other] for other in (name, *others) if claims.get(other)), [])
        for name, others in OTHER_NAMES.items()
    }
    return {**claims, **{name: values for name, values in standard.items() if values}}
