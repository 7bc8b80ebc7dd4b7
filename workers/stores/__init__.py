"""The stores that footage is fetched from, each through its implementation for fsspec, and all of them alike.

The libraries get what they need from the source alone: nothing from the environment, no keys of ours, no proxy. What
they connect to, and how much they may receive, is limited by `workers.egress_guard`.
"""

from campus.cctv.models import Source
from campus.common.errors import UserError
from workers.stores.base import Entry, Store
from workers.stores.errors import FileBeingWritten, StoreNotFound, StoreUnavailable

__all__ = ["Entry", "FileBeingWritten", "Store", "StoreNotFound", "StoreUnavailable", "store_class"]


def store_class(kind: str) -> type[Store]:
    """The class for a kind of source. Raises UserError for cameras, which have no files.

    Each kind's library is imported when it is first needed: all of them together take 30 MB.
    """
    match kind:
        case Source.Kind.FOLDER:
            from workers.stores.folder import Folder

            return Folder
        case Source.Kind.SFTP:
            from workers.stores.sftp import Sftp

            return Sftp
        case Source.Kind.FTPS:
            from workers.stores.ftps import Ftps

            return Ftps
        case Source.Kind.SMB:
            from workers.stores.smb import Smb

            return Smb
        case Source.Kind.HTTP:
            from workers.stores.web import Web

            return Web
        case Source.Kind.WEBDAV:
            from workers.stores.webdav import WebDav

            return WebDav
        case Source.Kind.S3:
            from workers.stores.s3 import S3

            return S3
    raise UserError("A camera is recorded while a lecture runs; it has no files to look through.")
