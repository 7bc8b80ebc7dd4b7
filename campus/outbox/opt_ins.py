"""Who wants messages about a student's attendance, and everything that writes it."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campus.academics.models import Student
from campus.academics.selectors import students_for
from campus.accounts.institution import institution_name
from campus.accounts.names import display_name
from campus.accounts.roles import AnyUser, sees_everything
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.outbox.models import Delivery, MessageOptIn
from campus.outbox.services import queue_delivery

MAX_UNCONFIRMED = 3  # of a student
CONFIRMATION = "message.confirm"


def opt_ins_for(user: AnyUser) -> QuerySet[MessageOptIn]:
    """Those of the students whom the user may see, for who looks after all classes."""
    rows = MessageOptIn.objects.filter(student__in=students_for(user))
    return rows if sees_everything(user) else rows.none()


def open_opt_ins(student: Student) -> QuerySet[MessageOptIn]:
    """Those of a student that hold, or wait for their confirmation."""
    return student.message_opt_ins.filter(withdrawn_at=None)


def find_opt_in(code: str) -> MessageOptIn | None:
    """The opt-in of a link, ended or not."""
    return MessageOptIn.objects.select_related("student").filter(code=code).first()


def agreement_text() -> str:
    """What somebody agrees to, in the language of the moment."""
    return _(
        "%(institution)s sends messages about the student's attendance to this address: absences from lectures that "
        "were signed off, too little attendance, and excuses. Nobody has to agree. It can be ended at any time by the "
        "link in each message, on the student's own page, or at the institution."
    ) % {"institution": institution_name()}


def record_opt_in(
    *,
    student: Student,
    recipient: str,
    channel: str,
    address: str,
    language: str,
    name: str = "",
    user: User | None = None,
) -> MessageOptIn:
    """Record that somebody wants messages. `user` has it on paper or was told; without, the student asked for it on the
    own page, and whoever reads messages at the address has to confirm it first.

    Raises ValidationError by field, and UserError.
    """
    opt_in = MessageOptIn(
        student=student, recipient=recipient, channel=channel, address=address.strip(), name=name, language=language
    )
    opt_in.method = MessageOptIn.Method.PAPER if user else MessageOptIn.Method.LINK
    opt_in.recorded_by = display_name(user) if user else ""
    opt_in.confirmed_at = timezone.now() if user else None
    with translation.override(language):
        opt_in.text = agreement_text()
    opt_in.full_clean(validate_constraints=False)
    if user is None and not settings.BASE_URL:
        raise UserError("No messages with links can be sent yet. Ask the institution.")
    if user is None and open_opt_ins(student).filter(confirmed_at=None).count() >= MAX_UNCONFIRMED:
        raise UserError("Some addresses wait for their confirmation. Confirm or remove them first.")
    try:
        with transaction.atomic():
            opt_in.save()
            _note(opt_in, user, "agreed" if user else "asked")
    except IntegrityError as error:
        raise UserError("Messages go to this address already.") from error
    if user is None:
        queue_message(
            opt_in=opt_in,
            event=CONFIRMATION,
            key=f"confirm:{opt_in.pk}",
            write=lambda: (
                _("Messages about your attendance: confirm this address at %(address)s")
                % {"address": choice_address(opt_in)}
            ),
        )
    return opt_in


@transaction.atomic
def confirm_opt_in(*, opt_in: MessageOptIn) -> None:
    """The recipient has the message with the link, so the address is right."""
    if MessageOptIn.objects.filter(pk=opt_in.pk, confirmed_at=None, withdrawn_at=None).update(
        confirmed_at=timezone.now()
    ):
        _note(opt_in, None, "confirmed")


@transaction.atomic
def withdraw_opt_in(*, opt_in: MessageOptIn, user: User | None = None) -> bool:
    """No messages go to the address any more, those that wait included; whether there was anything to end."""
    ended = {"withdrawn_at": timezone.now(), "withdrawn_by": display_name(user) if user else ""}
    if not MessageOptIn.objects.filter(pk=opt_in.pk, withdrawn_at=None).update(**ended):
        return False
    _note(opt_in, user, "withdrawn")
    return True


def _note(opt_in: MessageOptIn, user: User | None, what: str) -> None:
    about = f"messages {what}: {opt_in.recipient}, {opt_in.channel}, {opt_in.pk}"
    record_event(user, Action.CHANGED_CONSENT, student=opt_in.student_id, about=about)


def choice_address(opt_in: MessageOptIn) -> str:
    """Where the recipient confirms the opt-in, and ends it. Empty: the server does not know its address."""
    return f"{settings.BASE_URL}{reverse('message-choice', args=[opt_in.code])}" if settings.BASE_URL else ""


def queue_messages(*, student: Student, event: str, key: str, write: Callable[[], str]) -> None:
    """Queue a message to all who have opted in to those about the student, each in its language, unless one with this
    key was queued for the address before. `write` gives the text in the language of the moment.
    """
    for opt_in in open_opt_ins(student).exclude(confirmed_at=None):
        queue_message(opt_in=opt_in, event=event, key=key, write=write)


def queue_message(*, opt_in: MessageOptIn, event: str, key: str, write: Callable[[], str]) -> None:
    """Queue a message to one who has opted in."""
    with translation.override(opt_in.language):
        subject = _("Attendance: message from %(institution)s") % {"institution": institution_name()}
        body = write()
        if event != CONFIRMATION and (address := choice_address(opt_in)):
            body += "\n" + _("Stop: %(address)s") % {"address": address}
    queue_delivery(key, opt_in.address, Delivery(opt_in=opt_in, event=event, subject=subject[:200], body=body))
