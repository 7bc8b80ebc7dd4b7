"""What the question mark of each page says: two sentences and a drawing, from `templates/web/help/`.

A new page needs a topic, or the name of its view in the topic of the page that it belongs to.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpTopic:
    """`views` are the names of the pages that it is about, those of the admin without their verb."""

    views: tuple[str, ...]
    title: Text
    text: Text
    picture: str

    @property
    def anchor(self) -> str:
        """Where it is on the page of all topics."""
        return self.views[0].replace(":", "-")


@dataclass(frozen=True, slots=True)
class HelpChapter:
    title: Text
    topics: tuple[HelpTopic, ...]


CHAPTERS = (
    HelpChapter(
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
    ),
    HelpChapter(
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
    ),
    HelpChapter(
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
    ),
    HelpChapter(
        _("Your account"),
        (
            HelpTopic(
                views=("account", "token-create"),
                title=_("Account"),
                text=_(
                    "Here are your language, your two-factor login, where you are logged in, and tokens for programs. "
                    "If a login is not yours, change the password: it logs everybody else out."
                ),
                picture="lock",
            ),
            HelpTopic(
                views=("password", "password-reset-confirm"),
                title=_("New password"),
                text=_(
                    "A long password of several words is easy to remember and hard to guess. "
                    "A new one logs you out everywhere else, and ends API tokens and calendar links."
                ),
                picture="lock",
            ),
            HelpTopic(
                views=("password-reset",),
                title=_("Forgotten password"),
                text=_(
                    "If an account has the address that you enter, an e-mail with a link goes there. "
                    "The link is valid for one hour; without one, ask your registrar which address you have."
                ),
                picture="mail",
            ),
            HelpTopic(
                views=("two-factor", "recovery-codes"),
                title=_("Two-factor login"),
                text=_(
                    "With it, you enter a code from an app on your phone after the password. "
                    "Keep the recovery codes on paper: each lets you in once, without the phone."
                ),
                picture="lock",
            ),
            HelpTopic(
                views=("confirm-login",),
                title=_("Confirm that it is you"),
                text=_(
                    "Changes of accounts and exports ask for your password again if the login is not recent. "
                    "So nobody can make them at a computer that you left open."
                ),
                picture="lock",
            ),
            HelpTopic(
                views=("login", "login-code", "sign-in", "sign-in-callback"),
                title=_("Log in"),
                text=_(
                    "Log in with your e-mail address or user name; a forgotten password is replaced by e-mail. "
                    "If you lost your phone, a recovery code takes the place of its code."
                ),
                picture="lock",
            ),
            HelpTopic(
                views=("invitation",),
                title=_("Invitation"),
                text=_(
                    "Choose a password, and your account opens. "
                    "The link works once and for seven days; whoever invited you can send a new one."
                ),
                picture="mail",
            ),
            HelpTopic(
                views=("my-data", "my-link"),
                title=_("Your page"),
                text=_(
                    "Here you say whether your face may be recognised, and change that at any time. You see each of "
                    "your marks, and can object to it."
                ),
                picture="photos",
            ),
            HelpTopic(
                views=("message-choice",),
                title=_("Messages about attendance"),
                text=_(
                    "Here you confirm that messages may go to your address, or end them. "
                    "Nobody has to agree, and nothing else depends on it."
                ),
                picture="mail",
            ),
            HelpTopic(
                views=("about",),
                title=_("About"),
                text=_(
                    "Rollcall takes attendance from recordings, by the faces of the students of a class. "
                    "Tell the version when you report a fault."
                ),
                picture="people",
            ),
        ),
    ),
)

# Read by those who open the admin only.
ADMIN_CHAPTER = HelpChapter(
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
            views=("connections", "connection-register", "admin:connections_connection"),
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

TOPICS = {view: topic for chapter in (*CHAPTERS, ADMIN_CHAPTER) for topic in chapter.topics for view in topic.views}


def find_topic(view: str) -> HelpTopic | None:
    """The topic of the page with this view's name; in the admin, of all pages about a kind of row."""
    while view and view not in TOPICS:
        view = view.rpartition("_")[0]
    return TOPICS.get(view)
