"""The stores that footage is fetched from, each through its implementation for fsspec, and all of them alike.

The libraries get what they need from the source alone: nothing of the environment, no keys of ours, no proxy. What they connect to, and
how much they may bring, is held by `workers.line`; what they say when it goes wrong is put into words by `workers.trouble`.
"""

from django.utils.translation import gettext as _

from campus.errors import UserError
from campus.footage.addresses import Address
from campus.footage.credentials import decrypt
from campus.footage.models import Source
from workers.stores.base import Found, Store, Writing
from workers.stores.folder import Folder
from workers.stores.ftps import Ftps
from workers.stores.s3 import S3
from workers.stores.sftp import Sftp
from workers.stores.smb import Smb
from workers.stores.web import Web, WebDav

__all__ = ["Found", "Sftp", "Store", "Writing", "store"]

PLAIN = {Source.Kind.FTPS: Ftps, Source.Kind.SMB: Smb, Source.Kind.WEBDAV: WebDav, Source.Kind.HTTP: Web, Source.Kind.S3: S3}


def store(source: Source, address: Address, *, learn: bool = False) -> Store:
    """Connect to a source at its guarded address. `learn`: an SFTP server whose key is not known yet may show one.

    Raises UserError where the source lacks something, and whatever its library raises.
    """
    if source.kind == Source.Kind.FOLDER:
        return Folder(address)
    if source.kind == Source.Kind.SFTP:
        if not source.host_key and not learn:
            raise UserError(_("The server's host key is not known yet. Test the source: its key is taken over then."))
        return Sftp(address, source, decrypt(source.secret), learn=learn)
    if source.kind not in PLAIN:
        raise UserError(_("A camera is recorded while a lecture runs; it has no files to look through."))
    return PLAIN[Source.Kind(source.kind)](address, source, decrypt(source.secret))
