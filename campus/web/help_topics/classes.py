"""Help for classes and students."""

from django.utils.translation import gettext_lazy as _

from campus.web.help_topics.topic import HelpChapter, HelpTopic

CLASSES = HelpChapter(
    _("Classes and students"),
    (
        HelpTopic(
            views=("course",),
            title=_("Class"),
            text=_(
                "A class's page lists its lectures, the next ones first, with what they still need. "
                "Its tabs lead to its students, register, photos and settings."
            ),
            picture="class",
        ),
        HelpTopic(
            views=("course-students",),
            title=_("Students of a class"),
            text=_(
                "Each line has a student's face, usable photos, share of the points, and how that share went. "
                "Excuse a student here; a registrar can also add students and change their days in the class."
            ),
            picture="people",
        ),
        HelpTopic(
            views=("enrolment",),
            title=_("Days in a class"),
            text=_(
                "A student is expected in the lectures from the first to the last day. "
                "Who leaves the class gets a last day, so that attendance until then stays."
            ),
            picture="form",
        ),
        HelpTopic(
            views=("course-timetable", "course-timetable-preview", "series"),
            title=_("Timetable of a class"),
            text=_(
                "Weekly lectures are planned once for the whole term, and holidays are left out. "
                "You see every lecture before any is created, also after a change."
            ),
            picture="agenda",
        ),
        HelpTopic(
            views=("course-roster", "course-roster-preview"),
            title=_("Import of a class's roster"),
            text=_(
                "Students come from a CSV file or an Excel workbook; students who exist already keep their photos. "
                "The preview says who is new, changed or no longer listed, and nothing is saved until you import."
            ),
            picture="file",
        ),
        HelpTopic(
            views=("course-photo-zip", "course-photo-import"),
            title=_("Photos from a zip file"),
            text=_(
                "Each folder in the zip has the photos of one student, and is named after the number or name. "
                "Where it is not sure whose photos they are, they wait until you choose the student."
            ),
            picture="photos",
        ),
        HelpTopic(
            views=("course-photos",),
            title=_("Photos of a class"),
            text=_(
                "Each photo has a verdict: only usable ones teach the class who its students are. "
                "A registrar drops photos here, and the class is trained soon after the last one."
            ),
            picture="photos",
        ),
        HelpTopic(
            views=("course-settings",),
            title=_("Settings of a class"),
            text=_(
                "The rules say who is present, late or below the required attendance, each with an example. "
                "After a change, lectures that are counted already follow when attendance is taken again."
            ),
            picture="form",
        ),
        HelpTopic(
            views=("recurring-people",),
            title=_("Unknown people in several lectures"),
            text=_(
                "The same unknown faces came to several lectures of this class: late enrolments, perhaps. "
                "Say once who somebody is, and it counts for each of the lectures that you choose."
            ),
            picture="unknown",
        ),
        HelpTopic(
            views=("register",),
            title=_("Register"),
            text=_(
                "Each row is a student, each column a lecture, and each letter a status. "
                "Try another required attendance at the top, or download the table for Excel or Moodle."
            ),
            picture="register",
        ),
        HelpTopic(
            views=("compare",),
            title=_("Compare classes"),
            text=_(
                "The lines show what share of the points each class reached, week by week. "
                "The table below has each class's best and worst week, and leads to its register."
            ),
            picture="chart",
        ),
        HelpTopic(
            views=("fairness", "course-fairness"),
            title=_("How well students are recognised"),
            text=_(
                "What the machine said is compared with what was signed off, by photos, size of the face and seat. "
                "Where too few people were counted, the page says that the numbers say nothing."
            ),
            picture="chart",
        ),
        HelpTopic(
            views=("attendance-export",),
            title=_("Export attendance"),
            text=_(
                "One CSV file has a row for each student and lecture of the classes that you choose. "
                "Only lectures whose attendance is final are in it, as in the registers."
            ),
            picture="file",
        ),
        HelpTopic(
            views=("students",),
            title=_("Students"),
            text=_(
                "These are the students of your classes, by surname. "
                "A student's page shows the attendance in all of them, and takes excuses."
            ),
            picture="people",
        ),
        HelpTopic(
            views=("student",),
            title=_("Student"),
            text=_(
                "The curve is the share of the points over the term, in each class. "
                "Each letter below is a lecture, and leads to what is known of the student there."
            ),
            picture="chart",
        ),
        HelpTopic(
            views=("student-excuse", "lecture-excuse", "course-excuse"),
            title=_("Excuse a student"),
            text=_(
                "An excuse covers every lecture from its first to its last day, also those that are over. "
                "Whoever attended nevertheless stays present."
            ),
            picture="excuse",
        ),
        HelpTopic(
            views=("excuses",),
            title=_("Excuses"),
            text=_(
                "The list has the excuses of your students, with their documents. "
                "A withdrawn excuse is kept in the list and counts no more."
            ),
            picture="excuse",
        ),
    ),
)
