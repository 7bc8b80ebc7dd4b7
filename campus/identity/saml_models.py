"""What identity providers say of themselves."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SamlMetadata(models.Model):
    """Metadata that were fetched and checked, of a SAML provider or of a member of its federation."""

    provider = models.ForeignKey("identity.IdentityProvider", on_delete=models.CASCADE, related_name="saml_metadata")
    entity_id = models.CharField(max_length=1024)
    xml = models.TextField()
    fetched_at = models.DateTimeField()
    checked_at = models.DateTimeField(help_text="When it was last tried to fetch them.")

    class Meta:
        verbose_name = _("metadata of a sign-in")
        verbose_name_plural = _("metadata of sign-ins")
        constraints = [models.UniqueConstraint(fields=["provider", "entity_id"], name="saml_metadata_once_an_entity")]

    def __str__(self) -> str:
        return self.entity_id
