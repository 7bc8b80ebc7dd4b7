"""The e-mail to a student whose photos were refused, with the reason and the link to send others. It is written when it
is sent: a link in the outbox could be read."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from campus.accounts.institution import institution_name
from campus.accounts.selectors import use_language_of
from campus.biometrics.models import SentPhoto
from campus.consent.links import student_link_token

PHOTO_REFUSAL = "student.photos-refused"
TOPIC = "refused-photo:"


def photo_refusal_topic(photo: SentPhoto) -> str:
    """The topic of the e-mail: one refusal is told once."""
    return f"{TOPIC}{photo.pk}"


def send_photo_refusal(topic: str) -> bool:
    """Tell the student why the photo with this topic was refused; whether it still is. Raises as `send_mail`."""
    refused = SentPhoto.objects.filter(state=SentPhoto.State.REFUSED)
    photos = refused.filter(pk=topic.removeprefix(TOPIC)).exclude(link__student__email="")
    photo = photos.select_related("link__student").first()
    if photo is None:
        return False
    with use_language_of():
        context = {
            "link": photo.link,
            "reason": photo.refusal,
            "count": refused.filter(link=photo.link, refusal=photo.refusal).count(),
            "institution": institution_name(),
            "base_url": settings.BASE_URL,
            "token": student_link_token(photo.link),
        }
        subject = render_to_string("web/email/photo_refusal_subject.txt", context)
        body = render_to_string("web/email/photo_refusal.txt", context)
    send_mail(" ".join(subject.split()), body, settings.DEFAULT_FROM_EMAIL, [photo.link.student.email])
    return True
