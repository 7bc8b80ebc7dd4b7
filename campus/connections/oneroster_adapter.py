"""A registry that speaks OneRoster 1.2: terms, classes, lecturers and rosters, by REST or as a zip of CSV files."""

import base64
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.common.errors import UserError
from campus.connections.json_requests import check_status
from campus.connections.models import Connection, ConnectionRun
from campus.connections.oneroster_client import OneRoster
from campus.connections.oneroster_contents import MAX_ZIP_BYTES, READERS, Registry, RegistryRequest
from campus.connections.quota import request
from campus.connections.registry_update import update_from_registry
from campus.connections.rosters import preview_for
from campus.connections.services import remember
from campus.connections.sync_outcome import SyncOutcome
from recognition.errors import RecognitionError
from recognition.messages import Message

ZIP_SECONDS: Final = 300.0
# A registry that says that nothing has changed is believed for so long. Its clock may be off by whatever it is off, but
# not go faster or slower by more than the margin meanwhile.
MAX_REGISTRY_AGE: Final = timedelta(days=7)
CLOCK_MARGIN: Final = timedelta(hours=1)


class OneRosterForm(forms.Form):
    """The settings of a registry. The connection's secret is the client's secret, or the password for the zip."""

    access = forms.ChoiceField(
        label=_("access"),
        choices=[
            ("rest", _("REST service")),
            ("csv", _("zip of CSV files at an address")),
            ("upload", _("zip of CSV files that somebody uploads")),
        ],
    )
    address = forms.URLField(
        label=_("address"),
        assume_scheme="https",
        required=False,
        help_text=_("REST: what comes before /ims/oneroster/rostering/v1p2. CSV: the address of the zip."),
    )
    token_url = forms.URLField(
        label=_("address for tokens"), assume_scheme="https", required=False, help_text=_("Of the REST service.")
    )
    client = forms.CharField(
        label=_("client"), max_length=200, required=False, help_text=_("REST: the client's id. CSV: the user's name.")
    )
    number = forms.ChoiceField(
        label=_("student number"),
        choices=[("identifier", "identifier"), ("username", "username"), ("sourced_id", "sourcedId")],
        help_text=_("The field of a user there that is the student number here."),
    )
    lecturers = forms.ChoiceField(
        label=_("lecturers"),
        choices=[("username", _("by their user name")), ("email", _("by their e-mail"))],
        help_text=_("How lecturers there are found among the accounts here. Nobody gets an account by this."),
    )

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        needed = {"rest": ("address", "token_url", "client"), "csv": ("address",)}
        for name in needed.get(values.get("access", ""), ()):
            if not values.get(name) and name not in self.errors:
                self.add_error(name, _("This access needs it."))
        return values


class OneRosterAdapter:
    settings_form: type[forms.Form] = OneRosterForm

    def check(self, connection: Connection) -> Message:
        """Fetch all, and say what it would do."""
        if connection.settings["access"] == "upload":
            return Message("Nothing is fetched: somebody uploads the zip on the page Connections.")
        registry = fetch_registry(connection)
        return _describe(registry, update_from_registry(connection=connection, registry=registry, is_trial=True))

    def sync(self, connection: Connection, run: ConnectionRun) -> Message:
        """Bring all up to date, unless the registry says that nothing has changed since. Who has asked for it gets a
        preview of the rosters where they need a person."""
        if connection.settings["access"] == "upload":
            return Message()
        client = _client(connection) if connection.settings["access"] == "rest" else None
        if client and run.user is None and not _has_changed(connection, client):
            run.counts = {"unchanged": 1}
            return Message()
        now = timezone.now()
        registry = client.registry() if client else fetch_registry(connection)
        outcome = _apply(connection, run, registry)
        if client and not (outcome.questions or outcome.problems or connection.dry_run):
            remember(connection, registry={"applied_at": now.timestamp(), "seconds_ahead": client.seconds_ahead})
        return outcome.remark

    def takes_zips(self, connection: Connection) -> bool:
        """Where it has no REST service."""
        return connection.settings.get("access") in ("csv", "upload")

    def import_zip(self, connection: Connection, run: ConnectionRun, path: Path, *, is_trial: bool) -> Message:
        """As `sync`, from the file."""
        registry = read_zip_file(path)
        if is_trial:
            outcome = update_from_registry(connection=connection, registry=registry, is_trial=True)
            run.counts = {name: n for name, n in outcome.counts.items() if n}
            return _describe(registry, outcome)
        return _apply(connection, run, registry).remark


def _describe(registry: Registry, outcome: SyncOutcome) -> Message:
    return Message(
        "The registry has {terms} terms, {classes} classes and {people} people. Now {new} students would join, "
        "{changed} change and {removed} leave. {remark}",
        terms=len(registry.terms),
        classes=len(registry.classes),
        people=len(registry.people),
        new=outcome.counts["added"],
        changed=outcome.counts["changed"],
        removed=outcome.counts["removed"],
        remark=outcome.remark,
    )


def _apply(connection: Connection, run: ConnectionRun, registry: Registry) -> SyncOutcome:
    """Do what the registry says, within the limit. Who has asked for it gets a preview of what needs a person."""
    outcome = update_from_registry(connection=connection, registry=registry, is_trial=connection.dry_run)
    run.counts = {name: n for name, n in outcome.counts.items() if n}
    if outcome.table and run.user:
        run.file_import = preview_for(run.user, connection.name, None, outcome.table)
    return outcome


def fetch_registry(connection: Connection) -> Registry:
    """All that the registry has. Raises UserError."""
    if connection.settings["access"] == "rest":
        return _client(connection).registry()
    url, client = connection.settings["address"], connection.settings.get("client", "")
    login = base64.b64encode(f"{client}:{connection.secret}".encode()).decode()
    answer = request(
        "GET",
        url,
        headers={"Authorization": f"Basic {login}"} if client else {},
        max_bytes=MAX_ZIP_BYTES,
        total_seconds=ZIP_SECONDS,
    )
    check_status(url, answer)
    return read_zip(answer.body)


def read_zip(content: bytes) -> Registry:
    """What the CSV files in a zip say, read in the sandbox. Raises UserError."""
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        file.write(content)
        file.flush()
        return read_zip_file(Path(file.name))


def read_zip_file(path: Path) -> Registry:
    """What the CSV files in a zip say, read in the sandbox. Raises UserError."""
    registry = Registry()
    try:
        for part in READERS.read_values(RegistryRequest(path=str(path.absolute())), Registry):
            registry.add(part)
    except RecognitionError as error:
        raise UserError(error.message) from error
    return registry


def _client(connection: Connection) -> OneRoster:
    values = connection.settings
    return OneRoster(values["address"], values["token_url"], values["client"], connection.secret)


def _has_changed(connection: Connection, client: OneRoster) -> bool:
    """Whether there may be something new since all was applied, as there may where one of the clocks was set since."""
    before = connection.settings.get("registry")
    if before is None:
        return True
    applied_at = datetime.fromtimestamp(before["applied_at"], UTC)
    ahead = timedelta(seconds=before["seconds_ahead"])
    return (
        abs(timezone.now() - applied_at) > MAX_REGISTRY_AGE
        or client.has_changed(applied_at + ahead - CLOCK_MARGIN)
        or abs(timedelta(seconds=client.seconds_ahead) - ahead) > CLOCK_MARGIN
    )
