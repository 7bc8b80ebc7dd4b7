"""Whether everything is there that Rollcall needs, and what to do where it is not.

`QUICK_CHECKS` are for pages and probes. `ALL_CHECKS` also start programs and connect to other machines.
"""

import smtplib
import socket
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks as django_checks
from django.core import mail
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from kombu.exceptions import OperationalError

from campus.academics.selectors import embedders_in_use
from campus.common import jobs
from campus.common.storage import delete_media, disk_usages, read_media, reports, write_media
from campus.monitoring.workers import running_workers
from campus.operations import selectors
from campus.operations.models import Backup
from campus.privacy.erasure_alarms import stopped_erasures

CONNECT_SECONDS: Final = 5
MAX_CLOCK_DIFFERENCE: Final = timedelta(seconds=2)
MAX_LATENESS: Final = timedelta(minutes=10)
MAX_BACKUP_AGE: Final = timedelta(days=2)
MIN_CERTIFICATE_DAYS: Final = 14
LOW_DISK_SHARE: Final = 0.1
FULL_DISK_SHARE: Final = 0.02
PROGRAM_SECONDS: Final = 120


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says, and how to mend it."""

    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    title: str | Promise
    find: Callable[[], Finding]

    def run(self) -> Finding:
        """What the check finds; an error that nobody expected is a problem, too."""
        try:
            return self.find()
        except Exception as error:  # whatever it is, the other checks go on
            text = _("This could not be checked: %(error)s.") % {"error": _describe(error)}
            return Finding(State.PROBLEM, text, _("Look into the log."))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": .")


def _ok(text: str) -> Finding:
    return Finding(State.OK, text)


def _is_production() -> bool:
    return settings.SETTINGS_MODULE == "campus.settings.prod"


def check_settings() -> Finding:
    if errors := [message for message in django_checks.run_checks() if message.is_serious()]:
        return Finding(State.PROBLEM, str(errors[0].msg), str(errors[0].hint or ""))
    if not settings.BASE_URL:
        return Finding(
            State.WARNING,
            _("E-mails have no links, and nobody can reset a forgotten password."),
            _("Set ROLLCALL_BASE_URL to the address of the pages, such as https://attendance.example.org."),
        )
    if _is_production() and "locmem" in settings.CACHES["default"]["BACKEND"]:
        return Finding(
            State.WARNING,
            _("Each web process counts wrong passwords by itself, so that more can be tried than is meant."),
            _("Set ROLLCALL_CACHE_URL to a Redis that all share, such as redis://host:6379/1."),
        )
    return _ok(_("All required settings are there."))


def check_database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        version = ".".join(str(part) for part in connection.get_database_version())
    except DatabaseError as error:
        return Finding(
            State.PROBLEM,
            _("The database does not answer: %(error)s.") % {"error": _describe(error)},
            _("Start it, and compare ROLLCALL_DATABASE_URL with its address, user and password."),
        )
    return _ok(_("%(database)s %(version)s answers.") % {"database": connection.display_name, "version": version})


def check_migrations() -> Finding:
    executor = MigrationExecutor(connection)
    loader = executor.loader
    if executor.migration_plan(loader.graph.leaf_nodes()):
        return Finding(
            State.PROBLEM, _("The tables of the database are of an older version."), _("Run: manage.py migrate")
        )
    if loader.applied_migrations.keys() - loader.disk_migrations.keys():
        # The release before goes on with the tables of the next one (tests/deploy/test_releases.py).
        return Finding(
            State.WARNING,
            _("A newer version of Rollcall has changed the database. Only the version before it works with that."),
            _("Finish the upgrade: restart the services with the newer version."),
        )
    return _ok(_("The tables are those of this version."))


def describe_older_tables() -> str:
    """What a process says when it is started before `migrate`; "" if the tables are not older, or nobody answers."""
    try:
        finding = check_migrations()
    except DatabaseError:
        return ""
    return f"{finding.text} {finding.remedy}" if finding.state == State.PROBLEM else ""


def check_broker() -> Finding:
    try:
        with jobs.producer().connection_for_read() as broker:
            broker.ensure_connection(max_retries=1, timeout=CONNECT_SECONDS, interval_start=0)
    except (OperationalError, OSError) as error:
        return Finding(
            State.PROBLEM,
            _("The broker does not answer: %(error)s. Jobs wait in the database until it is back.")
            % {"error": _describe(error)},
            _("Start Redis or Valkey, and compare ROLLCALL_REDIS_URL with its address."),
        )
    return _ok(_("The broker answers."))


def check_storage() -> Finding:
    """Writes, reads and deletes a small file in each folder."""
    name, content = f".probe-{uuid.uuid4().hex}", uuid.uuid4().bytes
    try:
        write_media(name, content)
        reports().write(name, content)
        if read_media(name) != content or reports().read(name) != content:
            return Finding(
                State.PROBLEM,
                _("The storage gives back something other than what was written."),
                _("Check the disk, and what it is mounted from."),
            )
    except OSError as error:
        return Finding(
            State.PROBLEM,
            _("Files can't be written: %(error)s.") % {"error": error.strerror or type(error).__name__},
            _("Compare ROLLCALL_STORAGE_URL and its credentials with those of the store, and look whether it answers.")
            if settings.STORAGE_URL
            else _("Mount ROLLCALL_DATA_DIR and ROLLCALL_REPORTS_DIR, and let the user of the services write there."),
        )
    finally:
        try:
            delete_media(name)
            reports().delete(name)
        except OSError:
            pass  # the folder is not there at all
    return _ok(_("Files can be written, read and deleted."))


def check_disk() -> Finding:
    free, total = min(
        ((disk.free, disk.total) for disk in disk_usages().values()),
        key=lambda disk: disk[0] / disk[1],
    )
    text = _("%(free)s GB of %(total)s GB are free.") % {"free": round(free / 1e9), "total": round(total / 1e9)}
    if free < LOW_DISK_SHARE * total:
        state = State.PROBLEM if free < FULL_DISK_SHARE * total else State.WARNING
        return Finding(state, text, _("Delete recordings of past terms, or move the folders to a larger disk."))
    return _ok(text)


def check_clock() -> Finding:
    if connection.vendor == "sqlite":
        return _ok(_("The database is on this machine, with the same clock."))
    with connection.cursor() as cursor:
        asked = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
        answered = timezone.now()
    difference = abs(theirs - (asked + (answered - asked) / 2)) - (answered - asked) / 2
    if difference > MAX_CLOCK_DIFFERENCE:
        return Finding(
            State.PROBLEM,
            _("This machine's clock and that of the database differ by %(seconds)d seconds.")
            % {"seconds": difference.total_seconds()},
            _("Set both right: timedatectl set-ntp true"),
        )
    return _ok(_("This machine's clock and that of the database agree."))


def check_weights() -> Finding:
    """Asks the vision library in a program of its own: no web process loads it."""
    wanted = embedders_in_use()
    command = [sys.executable, "-m", "recognition", "weights", "find", *sorted(wanted)]
    program = subprocess.run(  # noqa: S603
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False
    )
    if program.returncode:
        said = (program.stderr.strip() or program.stdout.strip()).splitlines()
        return Finding(
            State.PROBLEM,
            said[-1] if said else _("The weights of %(models)s are missing.") % {"models": ", ".join(sorted(wanted))},
            _("Run: python -m recognition weights list"),
        )
    return _ok(_("The weights of %(models)s are there.") % {"models": ", ".join(sorted(wanted))})


def check_mail() -> Finding:
    if settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend":
        return Finding(
            State.WARNING,
            _("No mail server is set: nobody is told about alarms, and nobody can reset a password."),
            _("Set ROLLCALL_EMAIL_URL, such as smtp+tls://user:password@mail.example.org:587."),
        )
    try:
        with mail.get_connection(timeout=CONNECT_SECONDS):
            pass
    except (OSError, smtplib.SMTPException) as error:
        return Finding(
            State.PROBLEM,
            _("The mail server does not let us in: %(error)s.") % {"error": _describe(error)},
            _("Compare ROLLCALL_EMAIL_URL with its address, user and password."),
        )
    return _ok(_("The mail server answers."))


def check_certificate() -> Finding:
    """Connects to the address of the pages, as a browser does."""
    address = urlsplit(settings.BASE_URL)
    if address.scheme != "https" or not address.hostname:
        if not _is_production():
            return _ok(_("Pages are read without encryption, on this machine alone."))
        return Finding(
            State.WARNING,
            _("There is no address with https whose certificate could be checked."),
            _("Set ROLLCALL_BASE_URL."),
        )
    host = address.hostname
    try:
        with (
            socket.create_connection((host, address.port or 443), timeout=CONNECT_SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            certificate = encrypted.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Finding(
            State.PROBLEM,
            _("Browsers refuse the certificate of %(host)s: %(error)s.")
            % {"host": host, "error": error.verify_message},
            _("Renew it, and reload nginx."),
        )
    except OSError as error:
        return Finding(
            State.WARNING,
            _("%(host)s could not be reached from here: %(error)s.") % {"host": host, "error": _describe(error)},
            _("Check the certificate from another machine."),
        )
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    text = _("The certificate of %(host)s ends on %(day)s.") % {"host": host, "day": date_format(ends, "DATE_FORMAT")}
    if ends < timezone.now() + timedelta(days=MIN_CERTIFICATE_DAYS):
        return Finding(State.WARNING, text, _("Renew it, and reload nginx."))
    return _ok(text)


def check_schedules() -> Finding:
    schedules = list(selectors.schedule_lateness())
    if not schedules:
        return Finding(State.PROBLEM, _("The scheduler has never run."), _("Start it: rollcall-scheduler"))
    latest = max(schedules, key=lambda schedule: schedule.late)
    if latest.late > MAX_LATENESS:
        text = _("The task “%(task)s” is %(minutes)d minutes late.") % {
            "task": latest.name,
            "minutes": latest.minutes,
        }
        return Finding(State.PROBLEM, text, _("Restart the scheduler: rollcall-scheduler"))
    return _ok(ngettext("%(n)d task runs on time.", "%(n)d tasks run on time.", len(schedules)) % {"n": len(schedules)})


def check_workers() -> Finding:
    workers = list(running_workers())
    served = {queue for worker in workers for queue in worker.queues}
    if missing := [queue for queue in jobs.QUEUES if queue not in served]:
        return Finding(
            State.PROBLEM,
            _("No worker serves: %(queues)s. Their jobs wait.") % {"queues": ", ".join(missing)},
            _("Start rollcall-worker, -quick, -collector and -vision, and look into their logs."),
        )
    if paused := [worker for worker in workers if worker.paused_queues]:
        worker = paused[0]
        return Finding(
            State.PROBLEM,
            _("%(worker)s takes nothing from %(queues)s for now. %(problem)s")
            % {"worker": worker, "queues": ", ".join(worker.paused_queues), "problem": worker.problem},
            _("Mend its machine. It tries again by itself."),
        )
    n = len(workers)
    return _ok(ngettext("%(n)d worker serves all queues.", "%(n)d workers serve all queues.", n) % {"n": n})


def check_queues() -> Finding:
    counts = selectors.count_jobs()
    if late := selectors.late_queues(counts):
        return Finding(
            State.PROBLEM,
            _("Jobs have waited for more than an hour: %(queues)s.") % {"queues": ", ".join(late)},
            _("Look whether a worker serves these queues, and start more of them."),
        )
    numbers = {"waiting": sum(job.waiting for job in counts), "running": sum(job.running for job in counts)}
    return _ok(_("%(waiting)d waiting, %(running)d in progress.") % numbers)


def check_backup() -> Finding:
    last = Backup.objects.first()
    remedy = _("Run: manage.py backup FOLDER, every night")
    if last is None:
        return Finding(State.WARNING, _("There is no backup yet."), remedy)
    local = timezone.localtime(last.finished_at)
    text = _("The last backup was finished on %(when)s.") % {"when": date_format(local, "DATETIME_FORMAT")}
    if last.finished_at < timezone.now() - MAX_BACKUP_AGE:
        return Finding(State.WARNING, text, remedy)
    return _ok(text)


def check_erasures() -> Finding:
    stopped = stopped_erasures().count()
    if stopped:
        text = ngettext(
            "%(n)d erasure has failed, or waited for more than an hour.",
            "%(n)d erasures have failed, or waited for more than an hour.",
            stopped,
        )
        return Finding(
            State.PROBLEM,
            text % {"n": stopped},
            _("Open “Erasures”: each says what is left to do. Mend what stops it, or request it again."),
        )
    return _ok(_("No erasure has failed, or waited for more than an hour."))


def check_alarms() -> Finding:
    n = sum(selectors.count_alarms().values())
    if n:
        text = ngettext("%(n)d alarm is on.", "%(n)d alarms are on.", n) % {"n": n}
        return Finding(State.WARNING, text, _("Open “Alarms” in the admin."))
    return _ok(_("No alarm is on."))


READINESS_CHECKS: Final[Sequence[Check]] = (
    Check("database", gettext_lazy("Database"), check_database),
    Check("migrations", gettext_lazy("Tables"), check_migrations),
    Check("broker", gettext_lazy("Broker"), check_broker),
    Check("storage", gettext_lazy("Storage"), check_storage),
    Check("disk", gettext_lazy("Disk"), check_disk),
)
QUICK_CHECKS: Final = (
    Check("settings", gettext_lazy("Settings"), check_settings),
    *READINESS_CHECKS,
    Check("clock", gettext_lazy("Clock"), check_clock),
    Check("schedules", gettext_lazy("Schedules"), check_schedules),
    Check("workers", gettext_lazy("Workers"), check_workers),
    Check("queues", gettext_lazy("Queues"), check_queues),
    Check("alarms", gettext_lazy("Alarms"), check_alarms),
    Check("erasures", gettext_lazy("Erasures"), check_erasures),
    Check("backup", gettext_lazy("Backup"), check_backup),
)
ALL_CHECKS: Final = (
    *QUICK_CHECKS,
    Check("weights", gettext_lazy("Weights"), check_weights),
    Check("mail", gettext_lazy("Mail"), check_mail),
    Check("certificate", gettext_lazy("Certificate"), check_certificate),
)
