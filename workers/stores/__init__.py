"""The stores that footage is fetched from, one class for each protocol, all with the interface of `Store`.

Their libraries are configured by the source alone: not by environment variables, keys of this machine, or a proxy.
`workers.egress_guard` limits what they may connect to and receive.
"""

from campus.cctv.models import Source
from campus.common.errors import UserError
from workers.stores.base import Entry, Store
from workers.stores.errors import FileBeingWritten, StoreNotFound, StoreUnavailable

__all__ = ["Entry", "FileBeingWritten", "Store", "StoreNotFound", "StoreUnavailable", "store_class"]


def store_class(kind: str) -> type[Store]:
    """The class for a kind of source. Raises UserError for cameras, which have no files.

    The library of a kind is imported when it is first needed: all together take 30 MB of memory.
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
        case Source.Kind.HIKVISION:
            from workers.stores.hikvision import Hikvision

            return Hikvision
        case Source.Kind.DAHUA:
            from workers.stores.dahua import Dahua

            return Dahua
        case Source.Kind.ONVIF:
            from workers.stores.onvif import Onvif

            return Onvif
        case Source.Kind.OPENCAST:
            from workers.stores.opencast import Opencast

            return Opencast
        case Source.Kind.BBB:
            from workers.stores.bigbluebutton import BigBlueButton

            return BigBlueButton
        case Source.Kind.ZOOM:
            from workers.stores.zoom import Zoom

            return Zoom
    raise UserError("A camera is recorded while a lecture runs; it has no files to look through.")
