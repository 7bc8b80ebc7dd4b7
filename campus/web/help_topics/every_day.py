"""Help for what everybody opens every day."""

from django.utils.translation import gettext_lazy as _

from campus.web.help_topics.topic import HelpChapter, HelpTopic

EVERY_DAY = HelpChapter(
    _("Every day"),
    (
        HelpTopic(
            views=("home",),
            title=_("Today"),
            text=_(
                "The first page shows today's lectures with the next thing to do, and those of the week. "
                "Open a lecture to take its roll or to upload its recording."
            ),
            picture="agenda",
        ),
        HelpTopic(
            views=("courses",),
            title=_("Classes"),
            text=_(
                "All your classes, fifty a page: find one by part of its code or name, or by its term. "
                "Archived classes have a list of their own."
            ),
            picture="class",
        ),
        HelpTopic(
            views=("search",),
            title=_("Search"),
            text=_(
                "The search finds classes, students, lectures and rooms, as far as you may see them. "
                "Press / on any page to get to it; capitals and accents make no difference."
            ),
            picture="search",
        ),
        HelpTopic(
            views=("room",),
            title=_("Room"),
            text=_(
                "These are the lectures of your classes in this room, from today on. "
                "A lecture's room is changed with “Move or cancel” on its page."
            ),
            picture="agenda",
        ),
        HelpTopic(
            views=("calendar-links",),
            title=_("Calendar"),
            text=_(
                "A link shows your lectures in a calendar program and follows when they are moved or cancelled. "
                "Whoever has the link sees them too, so replace it if somebody else got it."
            ),
            picture="agenda",
        ),
    ),
)
