"""What the database and the media folder hold of faces and secrets: encrypted, for one place each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction

from campus.accounts.models import TwoFactorDevice
from campus.biometrics.models import Embedding, LectureFace
from campus.biometrics.services import course_embeddings, save_photo_verdict
from campus.common.encrypted_fields import EncryptedBinaryField, encrypt_for
from campus.common.encryption import MAGIC, DecryptionError, UnknownKey
from campus.common.key_rotation import encrypted_fields
from campus.common.storage import local_path, read_media, write_media
from campus.outbox.models import Webhook
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from tests.campus import factories
from tests.campus.conftest import World

VECTOR = np.linspace(-1, 1, 128, dtype="<f4")


def stored(row: Any, name: str) -> bytes:
    """What the database itself has."""
    field = row._meta.get_field(name)
    with connection.cursor() as cursor:
        table, column, key = row._meta.db_table, field.column, row._meta.pk
        value = key.get_db_prep_value(row.pk, connection)
        cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE "{key.column}" = %s', [value])  # noqa: S608
        return bytes(cursor.fetchone()[0])


@pytest.mark.django_db
def test_secrets_and_embeddings_are_encrypted_in_the_database(embedded_photo: Any) -> None:
    hook = Webhook.objects.create(url="https://example.org")
    device = TwoFactorDevice.objects.create(user=factories.user(), secret="JBSWY3DP")
    source = factories.source(secret="öpen sesame")
    embedding = embedded_photo.embeddings.get()
    rows: list[Any] = [hook, device, source, embedding]
    for row, name in zip(rows, ("secret", "secret", "secret", "vector"), strict=True):
        content = stored(row, name)
        clear = getattr(type(row).objects.get(pk=row.pk), name)
        assert clear == getattr(row, name), "it reads as it was written"
        assert content.startswith(MAGIC)
        assert (clear.encode() if isinstance(clear, str) else clear) not in content
    assert np.array_equal(np.frombuffer(embedding.vector, "<f4"), VECTOR)


@pytest.fixture
def embedded_photo(db: None) -> Any:
    """A photo with an embedding."""
    photo = factories.photo()
    result = EnrolmentPhoto(verdict="accepted", reason=Message(), embedding=VECTOR)
    save_photo_verdict(photo=photo, result=result, embedder="dlib-resnet-v1")
    return photo


def test_a_value_of_another_row_or_field_is_refused(db: None) -> None:
    one, other = (Webhook.objects.create(url=f"https://example.org/{n}") for n in range(2))
    value = Webhook.objects.values_list("secret", flat=True).get(pk=one.pk)
    Webhook.objects.filter(pk=other.pk).update(secret=value)
    with pytest.raises(DecryptionError, match="changed or moved"):
        Webhook.objects.get(pk=other.pk).secret  # noqa: B018
    assert Webhook.objects.get(pk=one.pk).secret == one.secret


def test_nothing_is_stored_in_the_clear_by_mistake(db: None) -> None:
    hook = Webhook.objects.create(url="https://example.org")
    with pytest.raises(TypeError, match="encrypt_for"), transaction.atomic():
        Webhook.objects.filter(pk=hook.pk).update(secret="clear")
    Webhook.objects.filter(pk=hook.pk).update(secret=encrypt_for(hook, "secret", "whsec_new"))
    assert Webhook.objects.get(pk=hook.pk).secret == "whsec_new"
    with pytest.raises(ValueError, match="Save the row before"), transaction.atomic():
        type(factories.source())(name="new", secret="early").save()


def test_empty_and_missing_values_stay_so(db: None) -> None:
    photo = factories.photo()
    empty = Embedding.objects.create(photo=photo, embedder="x", vector=None)
    assert Embedding.objects.get(vector__isnull=True) == empty
    assert empty.vector is None
    source = factories.source()
    assert (type(source).objects.get(secret="").secret, source.has_password) == ("", False)


def test_every_field_for_faces_and_secrets_is_encrypted() -> None:
    """Whoever adds another one to a model has it encrypted."""
    assert {f"{field.model._meta.label}.{field.name}" for field in encrypted_fields()} == {
        "accounts.TwoFactorDevice.secret",
        "api.IdempotencyKey.body",
        "biometrics.Embedding.vector",
        "biometrics.LectureFace.vector",
        "cctv.Source.message_secret",
        "cctv.Source.secret",
        "connections.Connection.secret",
        "connections.SigningKey.private",
        "identity.ExternalIdentity.claims",
        "identity.FailedSignIn.claims",
        "identity.IdentityProvider.secret",
        "outbox.MessageSettings.secret",
        "outbox.Webhook.previous_secret",
        "outbox.Webhook.secret",
        "privacy.Erasure.terms",
    }
    from django.apps import apps

    names = {"secret", "vector", "embedding", "password", "private_key"}
    clear = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.local_fields
        if field.name in names and not isinstance(field, EncryptedBinaryField)
    ]
    assert clear == ["auth.User.password"], "which is a hash"


def test_media_are_encrypted_for_their_name(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    name = default_storage.save("crops/1/a.jpg", ContentFile(b"\xff\xd8face"))
    content = local_path(name).read_bytes()
    assert content.startswith(MAGIC)
    assert b"face" not in content
    assert local_path(name).stat().st_mode & 0o077 == 0
    assert read_media(name) == default_storage.open(name).read() == b"\xff\xd8face"
    assert default_storage.size(name) == 6
    local_path(name).rename(local_path("crops/1/b.jpg"))
    with pytest.raises(OSError, match="changed or moved"):
        read_media("crops/1/b.jpg")
    write_media("crops/1/b.jpg", b"another")
    settings.ENCRYPTION_KEYS = [bytes(32)]
    with pytest.raises(UnknownKey):
        read_media("crops/1/b.jpg")
    for outside in ("../secret", "/etc/passwd"):
        with pytest.raises(SuspiciousOperation):
            default_storage.open(outside)


def test_all_media_but_recordings_are_encrypted(world: World, settings: Any) -> None:
    """The folders of a campus with everything in it."""
    write_media("galleries/1.npz", b"gallery")
    factories.lecture_face(world.lecture, world.student)
    encrypted: set[str] = set()
    clear: set[str] = set()
    for path in Path(settings.MEDIA_ROOT).rglob("*"):
        if path.is_file():
            folder = path.relative_to(settings.MEDIA_ROOT).parts[0]
            (encrypted if path.read_bytes().startswith(MAGIC) else clear).add(folder)
    assert {"photos", "crops", "galleries"} <= encrypted
    assert clear == {"recordings"}


def test_a_class_reads_its_embeddings(db: None) -> None:
    course = factories.course(students=2)
    for student in course.students.all():
        save_photo_verdict(
            photo=factories.photo(student),
            result=EnrolmentPhoto(verdict="accepted", reason=Message(), embedding=VECTOR),
            embedder="dlib-resnet-v1",
        )
    vectors = [vector for photos in course_embeddings(course, "dlib-resnet-v1").values() for vector in photos.values()]
    assert len(vectors) == 2
    assert all(np.array_equal(vector, VECTOR) for vector in vectors)


def test_a_face_from_a_lecture_is_of_its_row(world: World) -> None:
    from campus.biometrics.lecture_faces import save_lecture_face

    face = factories.lecture_face(world.lecture, world.student)
    save_lecture_face(face=face, vector=VECTOR, embedder="dlib-resnet-v1", fits=True)
    assert stored(face, "vector").startswith(MAGIC)
    assert np.array_equal(np.frombuffer(LectureFace.objects.get().vector, "<f4"), VECTOR)
