"""Help for administrators and the registrar's office."""

from django.utils.translation import gettext_lazy as _

from campus.web.help_topics.topic import HelpChapter, HelpTopic

ADMIN = HelpChapter(
    _("Admin"),
    (
        HelpTopic(
            views=("admin:academics_course", "admin:index"),
            title=_("Classes"),
            text=_(
                "A class needs a roster, photos, a timetable and a lecturer; the first page says what is missing. "
                "Archive a class that is over: it leaves the lists, and nothing is deleted."
            ),
            picture="class",
        ),
        HelpTopic(
            views=("admin:academics_term", "admin:academics_holiday"),
            title=_("Terms and holidays"),
            text=_(
                "A term gives its first and last day and its holidays to the timetables of its classes. "
                "“Public holidays” on its page lists those of a country; untick the days on which you teach."
            ),
            picture="agenda",
        ),
        HelpTopic(
            views=("admin:academics_student", "admin:academics_enrolment"),
            title=_("Students and rosters"),
            text=_(
                "Import a roster from CSV or Excel: a preview says who is new and who leaves before anything changes. "
                "A file with a wrong row is not imported at all."
            ),
            picture="people",
        ),
        HelpTopic(
            views=(
                "connections",
                "connection-register",
                "connection-zip",
                "linked-class",
                "admin:connections_connection",
            ),
            title=_("Connections"),
            text=_(
                "Rosters come from learning platforms and registry systems, and marks that are signed off go there. "
                "Each connection says what waits and what failed, can be tested, and has a stop switch."
            ),
            picture="people",
        ),
        HelpTopic(
            views=("lti-class", "lti-content", "lti-login", "lti-launch", "lti-registration"),
            title=_("From a learning platform"),
            text=_(
                "Whoever comes from a course there says once which class it is. From then on the link leads to the "
                "class, and the platform can have links to single lectures."
            ),
            picture="class",
        ),
        HelpTopic(
            views=("audit-log",),
            title=_("Audit log"),
            text=_(
                "The log says who saw, changed, exported, trained or erased what. Nobody can change an entry: each has "
                "a hash over the one before, which the server's operator can verify."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("retention", "course-retention", "legal-hold-create"),
            title=_("Retention"),
            text=_(
                "Each rule says after how many days something is deleted, and how much that is today. "
                "A legal hold keeps everything of a class, a lecture or a student until it ends."
            ),
            picture="photos",
        ),
        HelpTopic(
            views=("erasures", "erasure", "student-erase", "course-erase"),
            title=_("Erasing people and classes"),
            text=_(
                "An erasure removes everything that shows, names or recognises a student; that somebody was in a "
                "lecture stays, without a name. Its receipt says what was removed, and names nobody."
            ),
            picture="photos",
        ),
        HelpTopic(
            views=("class-consents", "link-qr"),
            title=_("Consent"),
            text=_(
                "Nothing is learnt of a student's face before the student has agreed. Who has not is marked by people, "
                "and it counts the same."
            ),
            picture="people",
        ),
        HelpTopic(
            views=("objections", "objection"),
            title=_("Objections"),
            text=_(
                "A student may object to a mark. You answer within the institution's term, and change the mark in the "
                "same step if the student is right."
            ),
            picture="people",
        ),
        HelpTopic(
            views=("student-messages",),
            title=_("Messages to students and guardians"),
            text=_(
                "Only those who have agreed get messages, about what a class has chosen and a person has signed off. "
                "Each message has a link that ends them."
            ),
            picture="mail",
        ),
        HelpTopic(
            views=("sent-photos", "student-links", "student-link"),
            title=_("Photos from students"),
            text=_(
                "A link lets a student send photos from a phone, and you approve or refuse each of them. "
                "Nothing is learnt from a photo before that, and the student reads why one was refused."
            ),
            picture="photos",
        ),
        HelpTopic(
            views=("admin:biometrics_facephoto", "admin:biometrics_gallery"),
            title=_("Photos"),
            text=_(
                "Drop photos on a student's page, or upload a zip with a folder for each student. "
                "Each photo is accepted or rejected with a reason, and the class is trained soon after the last one."
            ),
            picture="photos",
        ),
        HelpTopic(
            views=("admin:academics_lectureseries", "admin:academics_lecture", "admin:academics_room"),
            title=_("Timetable"),
            text=_(
                "A series makes a class's lectures by weekday, time and room, after a preview and without holidays. "
                "Lectures that were moved or cancelled by hand stay as they are when the series changes."
            ),
            picture="agenda",
        ),
        HelpTopic(
            views=(
                "admin:attendance_attendancerecord",
                "admin:attendance_attendancestatus",
                "admin:attendance_attendancechange",
                "admin:attendance_report",
                "admin:recordings_recording",
            ),
            title=_("Attendance and statuses"),
            text=_(
                "Statuses and their points are the institution's; a class chooses the attendance that it requires. "
                "Each correction is kept with who made it and when, and the log can't be changed."
            ),
            picture="register",
        ),
        HelpTopic(
            views=(
                "admin:cctv_source",
                "admin:cctv_camera",
                "admin:cctv_footagefile",
                "admin:cctv_collection",
                "admin:cctv_alarm",
                "admin:django_celery_beat_periodictask",
            ),
            title=_("Cameras"),
            text=_(
                "A source is where footage lies, and a camera is what shows a room. "
                "After a lecture its footage is collected by itself; an alarm says what is missing."
            ),
            picture="recording",
        ),
        HelpTopic(
            views=("admin:outbox_delivery", "admin:outbox_webhook", "admin:outbox_messagesettings"),
            title=_("Messages and webhooks"),
            text=_(
                "The list shows each e-mail and each call of another program, and why one could not be delivered. "
                "A webhook tells a program of yours when attendance is counted or signed off."
            ),
            picture="mail",
        ),
        HelpTopic(
            views=("admin:identity_identityprovider", "admin:identity_externalidentity"),
            title=_("Sign-in"),
            text=_(
                "Staff and students can sign in at the university's own system; rules give roles and classes by what "
                "it says of them. “Test it” says what is wrong, and anyone who was refused has a "
                "code by which you find out why."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("admin:system",),
            title=_("System"),
            text=_(
                "Each line is something that Rollcall needs: whether it is there, and what to do if it is not. "
                "Only administrators see it; on the server, the command manage.py doctor says the same."
            ),
            picture="chart",
        ),
        HelpTopic(
            views=("admin:auth_group",),
            title=_("Rights of the roles"),
            text=_(
                "Each role is a group, whose rights say what its members may do in the admin. "
                "Rights that you add are kept; those that belong to a role come back with the next update."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("institution",),
            title=_("Institution"),
            text=_(
                "The name stands on each page, in workbooks, PDFs and calendars, and under each e-mail. "
                "It counts from the next page or file on; files that were made before keep the old one."
            ),
            picture="form",
        ),
        HelpTopic(
            views=("admin:auth_user",),
            title=_("Staff"),
            text=_(
                "Invite people by e-mail: the link is valid for seven days and sets their password. "
                "Without a mail server the link is shown to you once, to pass on yourself."
            ),
            picture="mail",
        ),
    ),
)
