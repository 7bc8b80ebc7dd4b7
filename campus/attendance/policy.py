"""What a class requires of its students over the term, and who is notified."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, validate_email
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course

MAX_WARNING_ADDRESSES = 10


def split_addresses(text: str) -> list[str]:
    """The e-mail addresses in a text, separated by commas, semicolons or white space."""
    return [address for address in re.split(r"[\s,;]+", text) if address]


def validate_addresses(text: str) -> None:
    addresses = split_addresses(text)
    if len(addresses) > MAX_WARNING_ADDRESSES:
        raise ValidationError(_("Enter at most %(n)d addresses.") % {"n": MAX_WARNING_ADDRESSES})
    for address in addresses:
        validate_email(address)


class RegisterPolicy(models.Model):
    """The policy of one class; a class without a row has the defaults."""

    course = models.OneToOneField(
        Course, on_delete=models.CASCADE, related_name="register_policy", verbose_name=_("class")
    )
    required_percent = models.PositiveSmallIntegerField(
        _("required attendance (%)"),
        default=75,
        validators=[MaxValueValidator(100)],
        help_text=_("Share of the points that a student should reach. Students below it are marked in the register."),
    )
    mail_lecturers = models.BooleanField(
        _("e-mail to the lecturers"),
        default=False,
        help_text=_("When the attendance of a lecture is ready, with what they should check."),
    )
    mail_absentees = models.BooleanField(
        _("e-mail to absentees"),
        default=False,
        help_text=_("When a lecture is signed off, to students who were absent and have an address."),
    )
    message_absent = models.BooleanField(
        _("message about absences"),
        default=False,
        help_text=_("When a lecture is signed off, to students and guardians who have opted in."),
    )
    message_below = models.BooleanField(
        _("message about too little attendance"),
        default=False,
        help_text=_(
            "When a signed-off lecture takes a student below the required attendance, to those who have opted in."
        ),
    )
    message_excuse = models.BooleanField(
        _("message about excuses"),
        default=False,
        help_text=_("When an excuse is entered or withdrawn, to those who have opted in. It does not say the reason."),
    )
    write_moodle_file = models.BooleanField(
        _("file for Moodle"),
        default=False,
        help_text=_("Next to each lecture's workbook in Reports/, for Moodle's “Import attendance marks”."),
    )
    mail_weekly_register = models.BooleanField(
        _("weekly register"),
        default=False,
        help_text=_("To the registrars, after each week in which the class had lectures."),
    )
    warning_addresses = models.CharField(
        _("warn of falling attendance"),
        max_length=500,
        blank=True,
        validators=[validate_addresses],
        help_text=_("E-mail addresses. Once a week they are told which students fell below the required attendance."),
    )

    class Meta:
        verbose_name = _("register and e-mail")
        verbose_name_plural = _("register and e-mail")
        constraints = [
            models.CheckConstraint(condition=Q(required_percent__lte=100), name="required_percent_is_a_percentage")
        ]

    def __str__(self) -> str:
        return f"{self.course.code}: {self.required_percent} %"


def policy_for(course: Course) -> RegisterPolicy:
    """The class's policy; an unsaved one with the defaults where it has none."""
    return RegisterPolicy.objects.filter(course=course).first() or RegisterPolicy(course=course)
