"""What is encrypted can be read at its place alone, with a key of the ring, and unchanged."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from campus.common import encryption
from campus.common.encryption import DecryptionError, decrypt, encrypt, rewrap
from campus.settings.encryption_keys import parse_keys

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@given(content=st.binary(max_size=1000), place=st.text(), data=st.data())
def test_a_content_is_read_at_its_place_and_unchanged(content: bytes, place: str, data: st.DataObject) -> None:
    encrypted = encrypt(content, place)
    assert len(encrypted) == len(content) + encryption.OVERHEAD_BYTES
    assert decrypt(encrypted, place) == content
    with pytest.raises(DecryptionError, match="changed or moved"):
        decrypt(encrypted, place + "2")
    index = data.draw(st.integers(0, len(encrypted) - 1))
    changed = bytearray(encrypted)
    changed[index] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DecryptionError):
        decrypt(bytes(changed), place)
    with pytest.raises(DecryptionError):
        decrypt(encrypted[:index], place)


def test_a_key_can_be_replaced_without_decrypting_the_content(settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    encrypted = encrypt(b"face", "photos/1.jpg")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert decrypt(encrypted, "photos/1.jpg") == b"face"
    envelope = rewrap(encrypted[: encryption.ENVELOPE_BYTES])
    assert envelope not in encrypted
    assert rewrap(envelope) == envelope
    rewrapped = envelope + encrypted[encryption.ENVELOPE_BYTES :]
    settings.ENCRYPTION_KEYS = [NEW]
    assert decrypt(rewrapped, "photos/1.jpg") == b"face"
    with pytest.raises(DecryptionError, match="ROLLCALL_ENCRYPTION_KEYS"):
        decrypt(encrypted, "photos/1.jpg")


def test_the_same_content_never_looks_the_same() -> None:
    assert len({encrypt(b"face", "place") for _ in range(50)}) == 50


def test_what_is_not_encrypted_is_not_taken_for_it() -> None:
    for content in (b"", b"\xff\xd8\xff", encryption.MAGIC, encryption.MAGIC + bytes(100)):
        with pytest.raises(DecryptionError):
            decrypt(content, "place")
    with pytest.raises(DecryptionError):
        rewrap(b"clear")


def test_keys_are_in_base64_one_a_line_or_with_commas() -> None:
    one, other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
    for text in (f"{one},{other}", f"{one}\n{other}\n", f" {one} , {other}, "):
        assert parse_keys(text) == [OLD, NEW]
    assert parse_keys("") == parse_keys("\n") == []


@pytest.mark.parametrize("key", ["short", "AAEC" * 11, "ÄAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"])
def test_a_wrong_key_is_named_by_its_number_and_not_shown(key: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="Key 2 of ROLLCALL_ENCRYPTION_KEYS") as caught:
        parse_keys(f"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8,{key}")
    assert key not in str(caught.value)
