"""What a class asks of its students over the term, and who is told by e-mail."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, validate_email
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course

MAX_WARNING_ADDRESSES = 10


def split_addresses(text: str) -> list[str]:
    """The e-mail addresses in a text, which has commas, semicolons or white space between them."""
    return [address for address in re.split(r"[\s,;]+", text) if address]


def validate_addresses(text: str) -> None:
    found = split_addresses(text)
    if len(found) > MAX_WARNING_ADDRESSES:
        raise ValidationError(_("At most %(n)d addresses can be named.") % {"n": MAX_WARNING_ADDRESSES})
    for address in found:
        validate_email(address)


class RegisterPolicy(models.Model):
    """One row a class; a class without a row has the defaults."""

    course = models.OneToOneField(
        Course, on_delete=models.CASCADE, related_name="register_policy", verbose_name=_("class")
    )
    least_percent = models.PositiveSmallIntegerField(
        _("asked for"),
        default=75,
        validators=[MaxValueValidator(100)],
        help_text=_("Percent of the points that a student should reach. Who is below is marked in the register."),
    )
    mail_lecturers = models.BooleanField(
        _("e-mail to the lecturers"),
        default=False,
        help_text=_("When the attendance of a lecture is counted, with what is to be checked."),
    )
    mail_absentees = models.BooleanField(
        _("e-mail to absentees"),
        default=False,
        help_text=_("When a lecture is signed off, to students who were absent and have an address."),
    )
    moodle_file = models.BooleanField(
        _("file for Moodle"),
        default=False,
        help_text=_("Beside each lecture's workbook in Reports/, for Moodle's “Import attendance marks”."),
    )
    mail_weekly = models.BooleanField(
        _("weekly register"),
        default=False,
        help_text=_("To the registrars, after each week in which the class had lectures."),
    )
    warn = models.CharField(
        _("warn of falling attendance"),
        max_length=500,
        blank=True,
        validators=[validate_addresses],
        help_text=_(
            "E-mail addresses of those who are told, once a week, which students fell below what is asked for."
        ),
    )

    class Meta:
        verbose_name = _("register and e-mail")
        verbose_name_plural = _("register and e-mail")
        constraints = [
            models.CheckConstraint(condition=Q(least_percent__lte=100), name="least_percent_is_a_percentage")
        ]

    def __str__(self) -> str:
        return f"{self.course.code}: {self.least_percent} %"


def policy_for(course: Course) -> RegisterPolicy:
    return RegisterPolicy.objects.filter(course=course).first() or RegisterPolicy(course=course)
