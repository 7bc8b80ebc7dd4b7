from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy


class ConsentConfig(AppConfig):
    name = "campus.consent"
    verbose_name = gettext_lazy("Consent")

    def ready(self) -> None:
        from campus.academics.signals import answers_imported, answers_requested
        from campus.consent.roster_answers import record_roster_answers, roster_answers

        answers_requested.connect(roster_answers, dispatch_uid="roster_answers")
        answers_imported.connect(record_roster_answers, dispatch_uid="record_roster_answers")
        post_migrate.connect(create_first_texts, sender=self, dispatch_uid="create_first_texts")


def create_first_texts(using: str, **_: Any) -> None:
    """Give a new institution a text to begin with."""
    from campus.consent.default_texts import DEFAULT_TEXTS
    from campus.consent.models import ConsentText

    rows = ConsentText.objects.using(using)
    if not rows.exists():
        rows.bulk_create(ConsentText(version=1, language=code, text=text) for code, text in DEFAULT_TEXTS.items())
