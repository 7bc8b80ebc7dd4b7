"""The key pair by which requests are signed and assertions are encrypted: the provider's `secret`, made when needed."""

from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.db import transaction
from django.utils import timezone

from campus.identity.models import IdentityProvider

VALID_DAYS: Final = 10 * 365  # federations trust the key, not the certificate's dates
KEY_BITS: Final = 3072
END_OF_KEY: Final = "-----END PRIVATE KEY-----\n"


def key_pair(provider: IdentityProvider) -> tuple[str, str]:
    """The private key and its certificate, both in PEM."""
    if not provider.secret:
        with transaction.atomic():
            row = IdentityProvider.objects.select_for_update().get(pk=provider.pk)
            if not row.secret:
                row.secret = make_key_pair()
                row.save(update_fields=["secret"])
        provider.secret = row.secret
    key, end, certificate = provider.secret.partition(END_OF_KEY)
    return key + end, certificate


def make_key_pair() -> str:
    """A new private key and a certificate for it, which nobody has to vouch for."""
    key = rsa.generate_private_key(65537, KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rollcall")])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode() + certificate.public_bytes(pem).decode()
