"""E-mails to students."""

from campus.biometrics.models import PhotoLink
from campus.outbox.account_emails import emails_have_links
from campus.outbox.photo_request import PHOTO_REQUEST, photo_request_topic
from campus.outbox.services import queue_email


def queue_photo_request(*, link: PhotoLink) -> bool:
    """Have the link sent to its student. False: there is no address, or no mail server to send links."""
    if not (link.student.email and emails_have_links()):
        return False
    queue_email(to=link.student.email, event=PHOTO_REQUEST, key=photo_request_topic(link), subject="", body="")
    return True
