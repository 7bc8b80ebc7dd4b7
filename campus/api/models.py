"""What the API remembers of its clients' requests."""

from django.conf import settings
from django.db import models

from campus.common.encrypted_fields import EncryptedTextField


class IdempotencyKey(models.Model):
    """A request that was done, and its answer, for a client that asks again because the answer was lost on the way."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField("SHA-256 of the request", max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = EncryptedTextField(default="", help_text="In JSON. It may hold a secret that is shown once.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="an_idempotency_key_once_a_user")]

    def __str__(self) -> str:
        return f"{self.key} of {self.user_id}"
