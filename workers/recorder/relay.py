"""A relay from FFmpeg to a camera: a port of this machine that leads to one address and nowhere else.

FFmpeg resolves names itself, and follows a camera that redirects it. So it is given this port, and the relay connects
to the address that was checked. TLS ends here too, after the certificate's name was checked.
"""

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

CONNECT_SECONDS = 10.0
MAX_SETUP_BYTES = 256 * 1024  # of all responses before the first picture; no camera needs as much
CHUNK_BYTES = 64 * 1024  # at least one TLS record, so that nothing is left where `select` cannot see it


class Relay:
    """One connection to a camera, open during a `with` block or until any thread calls `close`.

    `port` is the one for FFmpeg. `has_received`: the camera has sent something. `was_redirected`: it has sent a
    redirect, which is not followed. `edit_request` changes what FFmpeg asks for. Raises OSError if the camera cannot be
    reached; ssl.SSLError is a subclass.
    """

    def __init__(
        self, address: str, port: int, tls_name: str = "", edit_request: Callable[[bytes], bytes] = bytes
    ) -> None:
        self.edit_request = edit_request
        self.has_received = self.was_redirected = False
        self.camera = socket.create_connection((address, port), CONNECT_SECONDS)
        try:
            if tls_name:
                self.camera = ssl.create_default_context().wrap_socket(self.camera, server_hostname=tls_name)
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        except OSError:
            self.camera.close()
            raise
        self.listener.settimeout(CONNECT_SECONDS)
        self.port: int = self.listener.getsockname()[1]
        self.connections = [self.camera]
        self.thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.thread.join()

    def close(self) -> None:
        """Break all connections. Whoever reads from the camera gets the end of the stream at once."""
        for connection in (self.listener, *self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with self.camera, self.listener, suppress(OSError):
            ffmpeg, _ = self.listener.accept()
            self.connections.append(ffmpeg)
            with ffmpeg:
                self._forward(ffmpeg)

    def _forward(self, ffmpeg: socket.socket) -> None:
        setup_responses = bytearray()
        is_playing = False
        while True:
            readable = select.select([self.camera, ffmpeg], [], [])[0]
            if ffmpeg in readable:
                request = self.edit_request(ffmpeg.recv(CHUNK_BYTES))
                is_playing = is_playing or request.startswith(b"PLAY ")
                self.camera.sendall(request)
                if not request:
                    return
            if self.camera in readable:
                response = self.camera.recv(CHUNK_BYTES)
                self.has_received = self.has_received or bool(response)
                if not is_playing:
                    # FFmpeg follows redirects until it asks for the pictures, and ignores carriage returns anywhere.
                    setup_responses += response.replace(b"\r", b"").lower()
                    self.was_redirected = b"\nlocation:" in setup_responses
                if not response or self.was_redirected or len(setup_responses) > MAX_SETUP_BYTES:
                    return
                ffmpeg.sendall(response)
