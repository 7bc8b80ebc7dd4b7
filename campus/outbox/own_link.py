"""The e-mail with the link to a student's own page. It is written when it is sent: a link in the outbox could be
read."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone

from campus.accounts.institution import institution_name
from campus.accounts.selectors import use_language_of
from campus.consent.links import student_link_token
from campus.consent.models import StudentLink
from campus.consent.selectors import asks_for_consent

OWN_LINK = "student.link"
TOPIC = "own-link:"


def own_link_topic(link: StudentLink) -> str:
    """The topic of the e-mail: a link is sent once an hour at most."""
    return f"{TOPIC}{link.key}:{timezone.now():%Y%m%d%H}"


def send_own_link(topic: str) -> bool:
    """Send the link with this topic to its student; whether there is one. Raises as `send_mail`."""
    key = topic.removeprefix(TOPIC).partition(":")[0]
    links = StudentLink.objects.filter(key=key, expires_at__gt=timezone.now())
    link = links.select_related("student").exclude(student__email="").first()
    if link is None:
        return False
    with use_language_of():
        context = {
            "link": link,
            "institution": institution_name(),
            "base_url": settings.BASE_URL,
            "token": student_link_token(link),
            "asks": asks_for_consent(),
        }
        subject = render_to_string("web/email/own_link_subject.txt", context)
        body = render_to_string("web/email/own_link.txt", context)
    send_mail(" ".join(subject.split()), body, settings.DEFAULT_FROM_EMAIL, [link.student.email])
    return True
