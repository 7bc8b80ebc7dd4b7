"""Staff whose accounts a provider makes, changes and closes (SCIM), its groups, and the tokens by which it may."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ScimToken(models.Model):
    """Lets a provider provision accounts. Only the hash of the secret is stored. It ends when it is revoked: one that
    expired would keep open the accounts of those who leave.
    """

    provider = models.ForeignKey("identity.IdentityProvider", on_delete=models.CASCADE, related_name="scim_tokens")
    prefix = models.CharField(_("starts with"), max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        verbose_name = _("SCIM token")
        verbose_name_plural = _("SCIM tokens")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.prefix}…"


class ProvisionedUser(models.Model):
    """A member of staff as the provider has provisioned them. `active` is the provider's word: an account that an
    administrator has closed here stays closed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        "identity.IdentityProvider", on_delete=models.CASCADE, related_name="provisioned_users"
    )
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="provisioned")
    user_name = models.CharField(max_length=255)
    user_name_key = models.CharField(max_length=255, editable=False)
    external_id = models.CharField(max_length=255, blank=True)
    active = models.BooleanField(default=True)
    attributes = models.JSONField(default=dict, help_text="Names and addresses as they were sent.")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "user_name_key"], name="provisioned_user_name_once"),
        ]
        indexes = [models.Index(fields=["provider", "external_id"], name="provisioned_by_external_id")]

    def __str__(self) -> str:
        return self.user_name


class ProvisionedGroup(models.Model):
    """A group of the provider. Its name is a value of the claim “groups” of its members."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        "identity.IdentityProvider", on_delete=models.CASCADE, related_name="provisioned_groups"
    )
    display_name = models.CharField(max_length=255)
    external_id = models.CharField(max_length=255, blank=True)
    members = models.ManyToManyField(ProvisionedUser, blank=True, related_name="groups")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "display_name"], name="provisioned_group_name_once"),
        ]

    def __str__(self) -> str:
        return self.display_name
