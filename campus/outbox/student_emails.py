"""E-mails to students."""

from campus.academics.models import Student
from campus.biometrics.models import SentPhoto
from campus.common.keys import number_key
from campus.consent.links import extend_student_link
from campus.consent.models import StudentLink
from campus.outbox.account_emails import emails_have_links
from campus.outbox.own_link import OWN_LINK, own_link_topic
from campus.outbox.photo_refusal import PHOTO_REFUSAL, photo_refusal_topic
from campus.outbox.photo_request import PHOTO_REQUEST, photo_request_topic
from campus.outbox.services import queue_email


def queue_photo_request(*, link: StudentLink) -> bool:
    """Have the link sent to its student. False: there is no address, or no mail server to send links."""
    if not (link.student.email and emails_have_links()):
        return False
    queue_email(to=link.student.email, event=PHOTO_REQUEST, key=photo_request_topic(link), subject="", body="")
    return True


def queue_own_link(*, link: StudentLink) -> bool:
    """Have the link to the own page sent to its student. False: there is no address, or no mail server."""
    if not (link.student.email and emails_have_links()):
        return False
    queue_email(to=link.student.email, event=OWN_LINK, key=own_link_topic(link), subject="", body="")
    return True


def send_link_to_number(*, number: str) -> None:
    """Have the link to the own page sent to the student with this number, if there is one with an address. A valid link
    stays as it is, and holds for two weeks from now.
    """
    student = Student.objects.filter(number_key=number_key(number), guest=False).exclude(email="").first()
    if student is not None:
        queue_own_link(link=extend_student_link(student=student))


def queue_photo_refusal(*, photo: SentPhoto) -> bool:
    """Have its student told why the photo was refused, and others for the same reason.

    False: there is no address, or no mail server to send links.
    """
    student = photo.link.student
    if not (student.email and emails_have_links()):
        return False
    queue_email(to=student.email, event=PHOTO_REFUSAL, key=photo_refusal_topic(photo), subject="", body="")
    return True
