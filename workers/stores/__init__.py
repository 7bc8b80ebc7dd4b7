"""The stores that footage is fetched from, each through its implementation for fsspec, and all of them alike.

The libraries get what they need from the source alone: nothing of the environment, no keys of ours, no proxy. What they connect to, and
how much they may bring, is held by `workers.egress_guard`; what they say when it goes wrong is put into words by `workers.store_errors`.
"""

from campus.cctv.credentials import decrypt
from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from campus.common.errors import UserError
from workers.stores.base import Found, Store, Writing

__all__ = ["Found", "Store", "Writing", "store"]


def store(source: Source, address: Address, *, learn: bool = False) -> Store:
    """Connect to a source at its guarded address. `learn`: an SFTP server whose key is not known yet may show one.

    Raises UserError where the source lacks something, and whatever its library raises. Each kind's library is loaded at its
    first need: all of them together take 30 MB.
    """
    password = decrypt(source.secret)
    match source.kind:
        case Source.Kind.FOLDER:
            from workers.stores.folder import Folder

            return Folder(address)
        case Source.Kind.SFTP:
            from workers.stores.sftp import Sftp

            if not source.host_key and not learn:
                raise UserError("The server's host key is not known yet. Test the source: its key is taken over then.")
            return Sftp(address, source, password, learn=learn)
        case Source.Kind.FTPS:
            from workers.stores.ftps import Ftps

            return Ftps(address, source, password)
        case Source.Kind.SMB:
            from workers.stores.smb import Smb

            return Smb(address, source, password)
        case Source.Kind.HTTP:
            from workers.stores.web import Web

            return Web(address, source, password)
        case Source.Kind.WEBDAV:
            from workers.stores.webdav import WebDav

            return WebDav(address, source, password)
        case Source.Kind.S3:
            from workers.stores.s3 import S3

            return S3(address, source, password)
    raise UserError("A camera is recorded while a lecture runs; it has no files to look through.")
