"""Name and password of the login page, checked by a directory (LDAP, Active Directory), always over TLS.

python-ldap is built from source (requirements-ldap.txt). It is used as it is: django-auth-ldap would make a directory
that is down look like a wrong password, and makes accounts by rules of its own.
"""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseRedirect

from campus.accounts.signin import is_login_blocked, reset_login_limit
from campus.common.network_policy import PrivateAddress, UnresolvableHost, resolve_allowed_addresses
from campus.identity.claim_names import OTHER_NAMES, with_standard_names
from campus.identity.models import IdentityProvider
from campus.identity.passwords import may_use_password
from campus.identity.selectors import active_providers, claims_looked_at, provider_of_session
from campus.identity.sign_in import Assertion, SignInError, sign_in

if TYPE_CHECKING:
    from ldap.ldapobject import LDAPObject

NAME_KEY: Final = "ldap-name"  # in a session: what was typed
NETWORK_SECONDS: Final = 5
PORTS: Final = {"ldap": 389, "ldaps": 636}
SYSTEM_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
MAX_NAME_LENGTH: Final = 256
MAX_VALUE_BYTES: Final = 1000
MAX_GROUPS: Final = 1000
SAMPLE: Final = 20  # people whose entries a test looks at


class DirectoryError(SignInError):
    """A directory that could not be asked, or what keeps out somebody whom it knows."""

    def __init__(self, provider: IdentityProvider, error: SignInError) -> None:
        super().__init__(error.message)
        self.provider = provider


def sign_in_by_directory(request: HttpRequest, username: str, password: str, next_: str) -> HttpResponseRedirect | None:
    """Sign in with the first directory that knows the name and the password; None where none does.

    Raises DirectoryError.
    """
    failure: DirectoryError | None = None
    for provider in active_providers().filter(kind=IdentityProvider.Kind.LDAP):
        if is_login_blocked(request, username):
            return None
        try:
            assertion = check_password(provider, username, password)
            if assertion is not None:
                reset_login_limit(request, username)
                return sign_in(request, provider, assertion, next_)
        except SignInError as error:
            failure = failure or DirectoryError(provider, error)
    if failure:
        raise failure
    return None


def has_password_to_confirm(request: HttpRequest) -> bool:
    """Whether the user has a password to give once more: here, or in the directory by which the session began."""
    user = request.user
    own = isinstance(user, User) and may_use_password(user) and user.has_usable_password()
    return own or NAME_KEY in request.session


def confirm_by_directory(request: HttpRequest, password: str) -> bool:
    """Whether the directory by which the session began knows this password for the user. It counts nothing."""
    provider, username = provider_of_session(request), request.session.get(NAME_KEY, "")
    if not username or provider is None or is_login_blocked(request, username):
        return False
    try:
        assertion = check_password(provider, username, password)
    except SignInError:
        return False
    return (
        assertion is not None and provider.identities.filter(user=request.user.pk, subject=assertion.subject).exists()
    )


def check_password(provider: IdentityProvider, username: str, password: str) -> Assertion | None:
    """What the directory says of somebody with this name and password; None where it knows nobody.

    Raises SignInError.
    """
    username = username.strip()
    # A directory takes an empty password for a question without a name, and says yes.
    if not username or not password or "\0" in username + password or len(username) > MAX_NAME_LENGTH:
        return None
    with connect(provider) as connection:
        found = _find_person(provider, connection, username)
        if found is None:
            return None
        name, entry = found
        groups = _find_groups(provider, connection, name, username)
        if not _is_password(connection, name, password):
            return None
    subject = _subject(provider, entry)
    claims = with_standard_names({**_texts(entry), **({"groups": groups} if groups else {})})
    if claims.get("email"):
        claims["email_verified"] = ["true"]  # the directory is the university's own
    return Assertion(issuer=f"ldap:{provider.pk}", subject=subject, claims=claims, kept={NAME_KEY: username})


def look_at_people(provider: IdentityProvider) -> list[dict[str, list[str]]]:
    """Bind, search, and return the claims of a few of those whom the filter finds, without groups of their own entries.

    Raises SignInError, which says what is wrong.
    """
    with connect(provider) as connection:
        settings_, wanted = provider.settings, _wanted_attributes(provider)
        anybody = settings_["people_filter"].replace("{user}", "*")
        found = _search(connection, settings_["people_base"], anybody, wanted, SAMPLE)
        if settings_.get("groups_base"):
            _search(connection, settings_["groups_base"], "(cn=*)", ["cn"], 1)
    return [with_standard_names({name: [] for name in entry} | _texts(entry)) for _name, entry in found]


@contextmanager
def connect(provider: IdentityProvider) -> Iterator["LDAPObject"]:
    """A connection over TLS, bound with the account in the settings.

    Raises SignInError, also for errors in its block.
    """
    try:
        import ldap
    except ImportError as error:
        raise SignInError(
            "LDAP needs the package python-ldap. Install requirements-ldap.txt where the web server runs."
        ) from error

    address = urlsplit(provider.settings["server"])
    host, port = address.hostname or "", address.port or PORTS[address.scheme]
    try:
        resolve_allowed_addresses(host, port, settings.CONNECTION_NETWORKS, "ROLLCALL_CONNECTION_NETWORKS")
    except (PrivateAddress, UnresolvableHost) as error:
        raise SignInError(error.message) from error
    connection = ldap.initialize(f"{address.scheme}://{host}:{port}")
    try:
        with _certificates(provider) as file:
            for option, value in (
                (ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3),
                (ldap.OPT_NETWORK_TIMEOUT, NETWORK_SECONDS),
                (ldap.OPT_TIMEOUT, NETWORK_SECONDS),
                (ldap.OPT_REFERRALS, 0),
                (ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND),
                (ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2),
                (ldap.OPT_X_TLS_CACERTFILE, file),
                (ldap.OPT_X_TLS_NEWCTX, 0),  # takes effect with this, the last one
            ):
                connection.set_option(option, value)
            if address.scheme == "ldap":
                connection.start_tls_s()
            connection.simple_bind_s(provider.settings.get("bind_dn", ""), provider.secret)
        yield connection
    except ldap.LDAPError as error:
        raise _explain(error, host) from error
    finally:
        with suppress(ldap.LDAPError):
            connection.unbind_s()


@contextmanager
def _certificates(provider: IdentityProvider) -> Iterator[str]:
    """The file with the certificates that vouch for the server."""
    if not provider.settings.get("ca_certificate"):
        yield str(ssl.get_default_verify_paths().cafile or SYSTEM_CERTIFICATES)
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(provider.settings["ca_certificate"])
        file.flush()
        yield file.name


def _explain(error: Exception, host: str) -> SignInError:
    import ldap

    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    why = details.get("info") or details.get("desc") or type(error).__name__
    if isinstance(error, ldap.INVALID_CREDENTIALS):
        return SignInError("The directory “{host}” does not accept the account in the settings (bind DN).", host=host)
    # GnuTLS says no more of a certificate than that its error is unknown.
    if any(word in why for word in ("certificate", "TLS", "unknown error code")):
        return SignInError(
            "No TLS connection with the directory “{host}” ({why}). Expected: a certificate of this very name that is "
            "valid now, from an authority in the settings or of the system.",
            host=host,
            why=why,
        )
    if isinstance(error, (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT, ldap.UNAVAILABLE, ldap.BUSY)):
        return SignInError("The directory “{host}” could not be reached ({why}).", host=host, why=why)
    if isinstance(error, (ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX, ldap.FILTER_ERROR)):
        return SignInError(
            "A base or filter in the settings is wrong for the directory “{host}” ({why}).", host=host, why=why
        )
    return SignInError("The directory “{host}” answered: {why}", host=host, why=why)


def _search(connection: "LDAPObject", base: str, filter_: str, attributes: list[str], most: int = 2) -> list[Any]:
    """The first of those that the filter finds."""
    import ldap

    message = connection.search_ext(base, ldap.SCOPE_SUBTREE, filter_, attributes, sizelimit=most)
    found: list[Any] = []
    with suppress(ldap.SIZELIMIT_EXCEEDED):
        while (answer := connection.result(message, all=0, timeout=NETWORK_SECONDS))[1]:
            found += answer[1]
    return [(name, entry) for name, entry in found if name is not None]  # without references to other servers


def _find_person(
    provider: IdentityProvider, connection: "LDAPObject", username: str
) -> tuple[str, dict[str, list[bytes]]] | None:
    from ldap.filter import escape_filter_chars

    filter_ = provider.settings["people_filter"].replace("{user}", escape_filter_chars(username))
    found = _search(connection, provider.settings["people_base"], filter_, _wanted_attributes(provider))
    if len(found) > 1:
        raise SignInError("The directory has several people for one user name. Make the filter narrower.")
    return found[0] if found else None


def _wanted_attributes(provider: IdentityProvider) -> list[str]:
    """What accounts are made of, and what the provider's rules look at; nothing else is asked for."""
    chosen = {provider.settings["subject_attribute"], *claims_looked_at(provider)}
    known = {name for names in OTHER_NAMES.values() for name in names if ":" not in name}
    return sorted((chosen | known) - set(OTHER_NAMES))


def _find_groups(provider: IdentityProvider, connection: "LDAPObject", name: str, username: str) -> list[str]:
    """The names of the groups that have the person as a member; none without a base for groups."""
    from ldap.filter import escape_filter_chars

    base = provider.settings.get("groups_base")
    if not base:
        return []
    filter_ = provider.settings["groups_filter"].replace("{dn}", escape_filter_chars(name))
    filter_ = filter_.replace("{user}", escape_filter_chars(username))
    found = _search(connection, base, filter_, ["cn"], MAX_GROUPS)
    return sorted({value.decode(errors="replace") for _name, entry in found for value in entry.get("cn", [])})


def _is_password(connection: "LDAPObject", name: str, password: str) -> bool:
    import ldap

    try:
        connection.simple_bind_s(name, password)
    except (ldap.INVALID_CREDENTIALS, ldap.UNWILLING_TO_PERFORM, ldap.INAPPROPRIATE_AUTH):
        return False
    return True


def _subject(provider: IdentityProvider, entry: dict[str, list[bytes]]) -> str:
    wanted = provider.settings["subject_attribute"]
    values = next((values for name, values in entry.items() if name.lower() == wanted.lower()), [])
    if not values:
        raise SignInError(
            "The attribute “{name}” is missing. Received: {received}. The account in the settings may not read it.",
            name=wanted,
            received=", ".join(sorted(entry)) or "-",
        )
    if wanted.lower() == "objectguid" and len(values[0]) == 16:
        return str(UUID(bytes_le=values[0]))
    try:
        return values[0].decode()
    except UnicodeDecodeError:
        return values[0].hex()


def _texts(entry: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """The attributes that are text, but for passwords."""
    texts: dict[str, list[str]] = {}
    for name, values in entry.items():
        with suppress(UnicodeDecodeError):
            if "password" not in name.lower():
                texts[name] = [value.decode() for value in values if len(value) <= MAX_VALUE_BYTES]
    return texts
