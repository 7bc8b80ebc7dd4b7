"""The e-mail with the link by which a student sends photos. It is written when it is sent: a link in the outbox could
be read."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone

from campus.accounts.institution import institution_name
from campus.consent.links import student_link_token
from campus.consent.models import StudentLink

PHOTO_REQUEST = "student.photos"
TOPIC = "student-link:"


def photo_request_topic(link: StudentLink) -> str:
    """The topic of the e-mail: each link is sent once."""
    return f"{TOPIC}{link.key}"


def send_photo_request(topic: str) -> bool:
    """Send the link with this topic to its student; whether there is one. Raises as `send_mail`."""
    links = StudentLink.objects.filter(key=topic.removeprefix(TOPIC), expires_at__gt=timezone.now())
    link = links.select_related("student").exclude(student__email="").first()
    if link is None:
        return False
    context = {
        "link": link,
        "institution": institution_name(),
        "base_url": settings.BASE_URL,
        "token": student_link_token(link),
    }
    subject = render_to_string("web/email/photo_request_subject.txt", context)
    body = render_to_string("web/email/photo_request.txt", context)
    send_mail(" ".join(subject.split()), body, settings.DEFAULT_FROM_EMAIL, [link.student.email])
    return True
