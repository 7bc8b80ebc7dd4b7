"""Help for lectures and their recordings."""

from django.utils.translation import gettext_lazy as _

from campus.web.help_topics.topic import HelpChapter, HelpTopic

LECTURES = HelpChapter(
    _("Lectures"),
    (
        HelpTopic(
            views=("lecture", "upload"),
            title=_("Lecture"),
            text=_(
                "One tap marks a student; whatever a person marks stays, whatever a recording shows. "
                "Upload the recording here, confirm whom it is not sure about, and sign off."
            ),
            picture="roll",
        ),
        HelpTopic(
            views=("lecture-create",),
            title=_("New lecture"),
            text=_(
                "A lecture has a class, a beginning and an end; its room tells cameras where to look. "
                "Lectures that come back every week are made at once by a registrar, with a timetable."
            ),
            picture="form",
        ),
        HelpTopic(
            views=("lecture-change",),
            title=_("Edit lecture"),
            text=_(
                "Here a lecture is moved, renamed or cancelled; in a cancelled lecture nobody was absent. "
                "What you change here is kept when the timetable changes."
            ),
            picture="form",
        ),
        HelpTopic(
            views=("lecture-compare",),
            title=_("Compare lectures"),
            text=_(
                "Two lectures of a class stand side by side: who came to both, to one of them, or to neither. "
                "The faces are from the recordings, so that one student in the place of another is seen."
            ),
            picture="people",
        ),
        HelpTopic(
            views=("recording",),
            title=_("Recording"),
            text=_(
                "The page follows the work until attendance is counted, and you can leave it meanwhile. "
                "A recording that makes no sense counts only once a person has accepted it."
            ),
            picture="recording",
        ),
        HelpTopic(
            views=("recording-picture",),
            title=_("Picture settings"),
            text=_(
                "Turn, mirror or stretch the picture if people in it lie on their side or look too wide. "
                "After that, attendance is taken again; what was marked by hand stays."
            ),
            picture="recording",
        ),
        HelpTopic(
            views=("annotated-video",),
            title=_("Video with names"),
            text=_(
                "The recording with a box and a name at each face shows how the result came about. "
                "Your name is in the picture, it is logged that you opened it, and the file is deleted soon after."
            ),
            picture="recording",
        ),
        HelpTopic(
            views=("confirm",),
            title=_("To confirm"),
            text=_(
                "A face resembles this student, but not enough to be certain: compare it with the photos. "
                "The letters on the buttons are keys, so that one key answers and shows the next student."
            ),
            picture="confirm",
        ),
        HelpTopic(
            views=("record",),
            title=_("One student in one lecture"),
            text=_(
                "This is all that is known of the student in this lecture: when and where, and who changed what. "
                "Set another status with a reason, or say that the face is somebody else's."
            ),
            picture="confirm",
        ),
        HelpTopic(
            views=("unknown-person",),
            title=_("Who is this?"),
            text=_(
                "The recording shows somebody who resembles nobody on the roster enough. "
                "Choose the student, call the person a visitor, or delete the pictures."
            ),
            picture="unknown",
        ),
    ),
)
