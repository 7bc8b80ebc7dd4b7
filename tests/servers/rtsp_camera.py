"""A camera that speaks RTSP, for Debian's Python: `/usr/bin/python3 rtsp_camera.py UNITS`, with its settings on
standard input.

UNITS is what `rtsp.units` wrote. Of the film in it, which begins anew whenever it is over, the camera shows at any
moment the picture of that moment by the clock on the wall, so it goes on where it would be after a restart. Each line
on standard input after the settings is a command: `mute` shows nothing more, `play` goes on.
"""

import json
import math
import os
import sys
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)

LAUNCH = (
    "( appsrc name=film is-live=true format=time caps=video/x-h264,stream-format=byte-stream,alignment=au"
    " ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


class Film:
    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        head, _, self.bytes = content.partition(b"\n")
        facts = json.loads(head)
        self.rate: float = facts["rate"]
        self.ends: list[int] = facts["ends"]

    def unit(self, number: int) -> bytes:
        number %= len(self.ends)
        return self.bytes[self.ends[number - 1] if number else 0 : self.ends[number]]


class Camera:
    def __init__(self, film: Film) -> None:
        self.film = film
        self.muted = threading.Event()

    def configure(self, _factory: object, media: GstRtspServer.RTSPMedia) -> None:
        source = media.get_element().get_by_name_recurse_up("film")
        over = threading.Event()
        media.connect("unprepared", lambda _media: over.set())
        threading.Thread(target=self.show, args=(source, over), daemon=True).start()

    def show(self, source: Gst.Element, over: threading.Event) -> None:
        """Picture n of the film is due at n / rate, by the clock on the wall. It begins between two key frames, as
        cameras do.
        """
        began = time.time()
        number = math.ceil(began * self.film.rate)
        while not over.wait(max(0.0, number / self.film.rate - time.time())):
            buffer = Gst.Buffer.new_wrapped(self.film.unit(number))
            buffer.pts = buffer.dts = round((number / self.film.rate - began) * Gst.SECOND)
            if not self.muted.is_set():
                source.emit("push-buffer", buffer)
            number += 1


def serve(film: Path) -> None:
    settings = json.loads(sys.stdin.readline())
    camera = Camera(Film(film))
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(settings["port"]))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.set_shared(True)
    factory.connect("media-configure", camera.configure)
    auth = GstRtspServer.RTSPAuth()
    if settings["password"]:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        auth.add_digest(settings["username"], settings["password"], token)
        permissions = GstRtspServer.RTSPPermissions()
        for permission in (
            GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
            GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
        ):
            permissions.add_permission_for_role("viewer", permission, True)
        factory.set_permissions(permissions)
    if settings["certificate"]:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(settings["certificate"]))
    if settings["password"] or settings["certificate"]:
        server.set_auth(auth)
    server.get_mount_points().add_factory(settings["path"], factory)
    if not server.attach(None):
        raise SystemExit(f"Port {settings['port']} is in use.")

    def commands() -> None:
        for line in sys.stdin:
            {"mute": camera.muted.set, "play": camera.muted.clear}[line.strip()]()
        os._exit(0)  # whoever started it is gone

    threading.Thread(target=commands, daemon=True).start()
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
