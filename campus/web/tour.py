"""The tour of the first page, which whoever logs in for the first time is shown."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campus.accounts.roles import Role, role_of
from campus.accounts.selectors import has_ended_tour


@dataclass(frozen=True, slots=True, kw_only=True)
class TourStep:
    """`at` is the CSS selector of what it is about; where that is not on the page, the step stands in its middle."""

    at: str
    title: str | Promise
    text: str | Promise


SEARCH = TourStep(
    at=".site-search",
    title=_("Find anything"),
    text=_("Type part of a name, a number, a class or a room, and the matches appear. Press / to get here."),
)
HELP = TourStep(
    at=".help-button",
    title=_("Help on every page"),
    text=_("The question mark explains the page that you are on. You can take this tour again from your account."),
)
LECTURER_TOUR = (
    TourStep(
        at="[aria-labelledby=today]",
        title=_("Today's lectures"),
        text=_("Each lecture of today stands here. Open it to take its roll by hand or to upload its recording."),
    ),
    TourStep(
        at="[aria-labelledby=week]",
        title=_("Your week"),
        text=_("The lectures of the week stand here, with what each still needs. Signed off, a lecture is done."),
    ),
    TourStep(
        at=".tiles",
        title=_("Your classes"),
        text=_("The page of a class has all its lectures. Its register says who is below the required attendance."),
    ),
    SEARCH,
    HELP,
)
REGISTRAR_TOUR = (
    TourStep(
        at=".setup",
        title=_("Getting started"),
        text=_("A list on this page says what is missing until the first recording. Each step leads to its place."),
    ),
    TourStep(
        at="[aria-labelledby=sample]",
        title=_("A class to try out"),
        text=_(
            "While there is no class, one press makes a sample. Its students do not exist, and one press removes it."
        ),
    ),
    TourStep(
        at=".top nav [href='/admin/']",
        title=_("The admin"),
        text=_("Terms, new classes, cameras and staff are managed in the admin. Lecturers do not see it."),
    ),
    SEARCH,
    HELP,
)
AUDITOR_TOUR = (
    TourStep(
        at="[aria-labelledby=may-see]",
        title=_("You read everything"),
        text=_("These links lead to all that you may see. You cannot change anything, so you cannot break anything."),
    ),
    TourStep(
        at=".top nav [href='/classes/']",
        title=_("Classes"),
        text=_("Each class has its lectures with what was seen in them. Its register says who attended how much."),
    ),
    TourStep(
        at=".top nav [href='/admin/']",
        title=_("The admin"),
        text=_(
            "Recordings, cameras and staff are there to read. “Corrections” says who changed which status, and why."
        ),
    ),
    SEARCH,
    HELP,
)
TOURS = {
    Role.LECTURER: LECTURER_TOUR,
    Role.AUDITOR: AUDITOR_TOUR,
    Role.REGISTRAR: REGISTRAR_TOUR,
    Role.ADMINISTRATOR: REGISTRAR_TOUR,
}


def tour_for(user: User) -> tuple[TourStep, ...]:
    """The steps of the user's role; none once the tour was ended or skipped."""
    role = role_of(user)
    return () if role is None or has_ended_tour(user) else TOURS[role]
