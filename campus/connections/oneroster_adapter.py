"""A registry that speaks OneRoster 1.2: terms, classes, lecturers and rosters, by REST or as a zip of CSV files."""

import base64
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.common.errors import UserError
from campus.common.outgoing_http import request
from campus.connections.adapters import NETWORKS_SETTING, MarkSender, Member, WantedMark
from campus.connections.json_requests import check_status
from campus.connections.models import Connection, ConnectionRun, CourseLink
from campus.connections.oneroster_client import OneRoster
from campus.connections.oneroster_contents import MAX_ZIP_BYTES, READERS, Registry, RegistryRequest
from campus.connections.registry_update import update_from_registry
from campus.connections.rosters import preview_for
from campus.connections.services import remember
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
        label=_("access"), choices=[("rest", _("REST service")), ("csv", _("zip of CSV files at an address"))]
    )
    address = forms.URLField(
        label=_("address"),
        assume_scheme="https",
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
        if values.get("access") == "rest":
            for name in ("token_url", "client"):
                if not values.get(name):
                    self.add_error(name, _("The REST service needs it."))
        return values


class OneRosterAdapter:
    settings_form: type[forms.Form] = OneRosterForm

    def check(self, connection: Connection) -> Message:
        """Fetch all, and say what it would do."""
        registry = fetch_registry(connection)
        outcome = update_from_registry(connection=connection, registry=registry, is_trial=True)
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

    def sync(self, connection: Connection, run: ConnectionRun) -> Message:
        """Bring all up to date, unless the registry says that nothing has changed since. Who has asked for it gets a
        preview of the rosters where they need a person."""
        client = _client(connection) if connection.settings["access"] == "rest" else None
        if client and run.user is None and not _has_changed(connection, client):
            run.counts = {"unchanged": 1}
            return Message()
        now = timezone.now()
        registry = client.registry() if client else fetch_registry(connection)
        outcome = update_from_registry(connection=connection, registry=registry, is_trial=connection.dry_run)
        run.counts = {name: n for name, n in outcome.counts.items() if n}
        if outcome.table and run.user:
            run.file_import = preview_for(run.user, connection.name, None, outcome.table)
        if client and not (outcome.questions or outcome.problems or connection.dry_run):
            remember(connection, registry={"applied_at": now.timestamp(), "seconds_ahead": client.seconds_ahead})
        return outcome.remark

    def fetch_roster(self, link: CourseLink) -> list[Member]:
        """Rosters come with all else."""
        raise NotImplementedError

    def wanted_marks(self, link: CourseLink) -> Iterable[WantedMark]:
        """A registry takes none."""
        return []

    def open_sender(self, link: CourseLink) -> AbstractContextManager[MarkSender]:
        raise NotImplementedError


def fetch_registry(connection: Connection) -> Registry:
    """All that the registry has. Raises UserError."""
    if connection.settings["access"] == "rest":
        return _client(connection).registry()
    url, client = connection.settings["address"], connection.settings.get("client", "")
    login = base64.b64encode(f"{client}:{connection.secret}".encode()).decode()
    answer = request(
        "GET",
        url,
        networks_setting=NETWORKS_SETTING,
        headers={"Authorization": f"Basic {login}"} if client else {},
        max_bytes=MAX_ZIP_BYTES,
        total_seconds=ZIP_SECONDS,
    )
    check_status(url, answer)
    return read_zip(answer.body)


def read_zip(content: bytes) -> Registry:
    """What the CSV files in a zip say, read in the sandbox. Raises UserError."""
    registry = Registry()
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        file.write(content)
        file.flush()
        try:
            for part in READERS.read_values(RegistryRequest(path=str(Path(file.name).absolute())), Registry):
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
