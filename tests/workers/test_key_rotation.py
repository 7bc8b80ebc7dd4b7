"""Keys are replaced while Rollcall runs: what is written meanwhile stays, and what is deleted does not return."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from campus.common.encrypted_fields import encrypt_for
from campus.common.encryption import encrypt
from campus.common.key_rotation import Outcome, rotate_field, rotate_media
from campus.common.storage import delete_media, local_path, read_media, write_media
from campus.outbox.models import WEBHOOK_PREFIX, Webhook
from campus.outbox.services import renew_secret
from recognition.files import atomic_write
from tests.campus import factories

OLD, NEW = bytes(32), bytes(range(32))


@pytest.fixture(autouse=True)
def old_key(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ENCRYPTION_KEYS = [OLD]


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_everything_gets_the_newest_key(settings: Any) -> None:
    hook, source = Webhook.objects.create(url="https://example.org"), factories.source(secret="öpen sesame")
    factories.photo(content=b"photo")
    write_media("galleries/1.npz", b"gallery")
    age = local_path("galleries/1.npz").stat().st_mtime_ns
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="an older key"):
        rotate("--check")
    said = rotate()
    assert "cctv.Source.secret: 1 encrypted with the newest key\n" in said
    assert "media files: 2 encrypted with the newest key\n" in said
    assert said.endswith("All 4 use the newest key.\n")
    assert "media files: 0 encrypted" in rotate(), "again, nothing is left to do"
    settings.ENCRYPTION_KEYS = [NEW]
    assert Webhook.objects.get().secret == hook.secret
    assert type(source).objects.get().secret == "öpen sesame"
    assert read_media("galleries/1.npz") == b"gallery"
    assert local_path("galleries/1.npz").stat().st_mtime_ns == age, "it expires when it would have"


@pytest.mark.django_db
def test_what_cannot_be_decrypted_is_said_and_left(settings: Any) -> None:
    Webhook.objects.create(url="https://example.org")
    write_media("crops/1.jpg", b"face")
    before = local_path("crops/1.jpg").read_bytes()
    settings.ENCRYPTION_KEYS = [NEW]
    out = StringIO()
    with pytest.raises(CommandError, match="can't be decrypted"):
        call_command("rotate_keys", stdout=out)
    assert "outbox.Webhook.secret: 0 with an older key, 1 with a key that is missing, or damaged" in out.getvalue()
    assert local_path("crops/1.jpg").read_bytes() == before
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate().endswith("All 2 use the newest key.\n")


VERSIONS = 20


@pytest.mark.django_db(transaction=True)
def test_rotation_under_load_loses_nothing(settings: Any) -> None:
    """Threads read, write, create and delete rows and files while the keys are rotated, some with the old key, as
    processes do that were not started again yet.
    """
    hooks = [Webhook.objects.create(url=f"https://example.org/{n}") for n in range(30)]
    names = [f"face_paths/{n}/paths.npz" for n in range(30)]
    for name in names:
        write_media(name, b"0")
    texts = [f"{WEBHOOK_PREFIX}{version}" for version in range(VERSIONS)]
    old_secrets = [[encrypt_for(hook, "secret", text) for text in texts] for hook in hooks]
    old_files = [[encrypt(text.encode(), f"media:{name}") for text in texts] for name in names]
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    secrets = {hook.pk: hook.secret for hook in hooks}
    files, crops = dict.fromkeys(names, b"0"), set()
    stop = threading.Event()
    errors: list[Exception] = []
    reads: list[bytes] = []
    written = itertools.count()

    def write() -> None:
        version = next(written)
        for n, (hook, name) in enumerate(zip(hooks, names, strict=True)):
            if (n + version) % 2:
                secrets[hook.pk] = renew_secret(webhook=hook).secret
                write_media(name, b"%d" % version)
                files[name] = b"%d" % version
            else:
                text = texts[version % VERSIONS]
                Webhook.objects.filter(pk=hook.pk).update(secret=old_secrets[n][version % VERSIONS])
                with atomic_write(local_path(name)) as beside:
                    beside.write_bytes(old_files[n][version % VERSIONS])
                secrets[hook.pk], files[name] = text, text.encode()
        write_media(f"crops/{version}.jpg", b"face")
        if version % 3:
            delete_media(f"crops/{version}.jpg")
        else:
            crops.add(f"{version}.jpg")

    def read() -> None:
        assert all(hook.secret.startswith(WEBHOOK_PREFIX) for hook in Webhook.objects.all())
        reads.extend(read_media(name) for name in names)

    def repeat(step: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                step()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=repeat, args=[step]) for step in (write, read, read)]
    for thread in threads:
        thread.start()
    rotated: Counter[Outcome] = Counter()
    while (len(crops) < 5 or len(reads) < 300 or rotated[Outcome.ROTATED] < 200) and not errors:
        rotated += rotate_field(Webhook._meta.get_field("secret")) + rotate_media()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert not rotated[Outcome.UNREADABLE]
    rotate()
    settings.ENCRYPTION_KEYS = [NEW]
    assert {hook.pk: hook.secret for hook in Webhook.objects.all()} == secrets
    assert {name: read_media(name) for name in names} == files
    assert {path.name for path in local_path("crops").glob("*")} == crops, "nothing that was deleted is back"
