"""Model fields that are encrypted in the database, each bound to its row and field.

They read as what was assigned to them, and are decrypted when they are first read. The row's primary key has to be
known before a value is stored, so keys are UUIDs, or the row is saved before its value.
"""

from typing import TYPE_CHECKING, Any, cast

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from campus.common.encryption import ENVELOPE_BYTES, decrypt, encrypt, rewrap

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field


class Encrypted(bytes):
    """A value as the database has it."""

    def with_newest_key(self) -> "Encrypted":
        """The same value in an envelope of the newest key. Raises DecryptionError."""
        return Encrypted(rewrap(self[:ENVELOPE_BYTES]) + self[ENVELOPE_BYTES:])


class _EncryptedAttribute(DeferredAttribute):
    field: "EncryptedBinaryField"

    def __get__(self, row: models.Model | None, owner: Any = None) -> Any:
        value = super().__get__(row, owner)
        if row is not None and isinstance(value, Encrypted):
            value = self.field.from_bytes(decrypt(value, self.field.place(row)) if value else b"")
            self.__set__(row, value)
        return value

    def __set__(self, row: models.Model, value: Any) -> None:
        row.__dict__[self.field.attname] = value


class EncryptedBinaryField(_Field):
    """Bytes. Reading raises DecryptionError where the key is gone, or the value is another row's.

    `update()` takes what the function `encrypt_for` returns. Rows can't be found by it, but for those where it is empty
    or null.
    """

    descriptor_class = _EncryptedAttribute
    empty_strings_allowed = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"editable": False} | options)

    def get_internal_type(self) -> str:
        return "BinaryField"

    def encrypt_for(self, row: models.Model, value: Any) -> Encrypted:
        """The value as the database shall have it in this row."""
        return Encrypted(encrypt(self.to_bytes(value), self.place(row)) if value else b"")

    def place(self, row: models.Model) -> str:
        if row.pk is None:
            raise ValueError(f"Save the row before its {self.name}, which is encrypted for this row alone.")
        return f"{self.model._meta.label_lower}.{self.name}:{row.pk}"

    def to_bytes(self, value: Any) -> bytes:
        return bytes(value)

    def from_bytes(self, value: bytes) -> Any:
        return value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, Encrypted):
            return value
        return self.encrypt_for(model_instance, value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value and not isinstance(value, Encrypted):
            raise TypeError(f"{self.name} is stored encrypted: use encrypt_for.")
        return None if value is None else connection.Database.Binary(bytes(value or b""))

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> Encrypted | None:
        return None if value is None else Encrypted(value)


def encrypt_for(row: models.Model, name: str, value: Any) -> Encrypted:
    """A value for `update()` of this row's field of that name."""
    field = row._meta.get_field(name)
    return cast(EncryptedBinaryField, field).encrypt_for(row, value)


class EncryptedTextField(EncryptedBinaryField):
    """Text; an empty one stays empty."""

    empty_strings_allowed = True

    def to_bytes(self, value: str) -> bytes:
        return value.encode()

    def from_bytes(self, value: bytes) -> str:
        return value.decode()
