"""Messages are stored with their values, and read in the language that is active."""

from datetime import UTC, date, datetime

import pytest
from django.utils import translation

from campus.biometrics.models import Gallery
from campus.common.errors import UserError
from campus.common.messages import dump_message, load_message, localize
from campus.outbox.models import Delivery
from recognition.messages import Message, join_messages
from tests.campus import factories


@pytest.fixture
def gallery(db: None) -> Gallery:
    return Gallery.objects.create(course=factories.course())


@pytest.mark.parametrize(
    "message",
    [
        Message("As it is: {braces}"),
        Message("{name} is empty.", name="a.mp4"),
        Message("{n} of {share:.1f}", n=3, share=0.25),
        Message.with_count("{n} file", "{n} files", n=2),
        Message(
            "{inner} {when} {day}", inner=Message("{n}", n=1), when=datetime(2026, 11, 27, tzinfo=UTC), day=date.max
        ),
    ],
)
def test_a_message_survives_the_database(gallery: Gallery, message: Message) -> None:
    Gallery.objects.update(error=message)
    gallery.refresh_from_db()
    assert gallery.error == message
    assert str(gallery.error) == str(localize(message))
    assert load_message(dump_message(message)) == message


def test_no_message_is_false_and_stored_as_nothing(gallery: Gallery) -> None:
    assert not gallery.error
    assert Gallery.objects.filter(error="").exists()
    Gallery.objects.update(error=Message("Broken."))
    assert not Gallery.objects.filter(error="").exists()


def test_a_plain_string_is_not_stored(gallery: Gallery) -> None:
    with pytest.raises(TypeError):
        Gallery.objects.update(error="Broken.")


def test_the_reader_s_language_counts_not_the_writer_s(gallery: Gallery) -> None:
    required = Message("This field is required.")  # Django itself translates it
    Gallery.objects.update(error=join_messages([Message("{path}: {error}", path="a", error=required)]))
    gallery.refresh_from_db()
    error = UserError(required)
    assert (str(gallery.error), str(error)) == ("a: This field is required.", "This field is required.")
    with translation.override("de"):
        assert (str(gallery.error), str(error)) == (
            "a: Dieses Feld ist zwingend erforderlich.",
            str(localize(required)),
        )


def test_a_form_of_a_number_is_chosen_when_it_is_read() -> None:
    files = [Message.with_count("{n} file", "{n} files", n=n) for n in (1, 2)]
    assert [str(localize(message)) for message in files] == ["1 file", "2 files"]


def test_a_field_that_is_assigned_reads_at_once() -> None:
    delivery = Delivery(error=Message("{n} tries", n=2))
    assert f"{delivery.error}" == "2 tries"
