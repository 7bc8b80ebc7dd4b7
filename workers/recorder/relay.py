"""The way from FFmpeg to a camera: a port of this machine that leads to one address and nowhere else.

FFmpeg looks names up by itself and follows a camera that sends it elsewhere. So it is given this port, and only the
address that the guard found is called. TLS ends here as well, with the name checked.
"""

import select
import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

CONNECT_SECONDS = 10.0
MAX_SETUP_BYTES = 256 * 1024  # more than any camera says of itself before the pictures come


class Relay:
    """One connection to a camera, open from the start of a `with` block to its end, or until `close` is called by any
    thread.

    `port` is where FFmpeg finds it. `received`: the camera said something. `redirected`: it sent us elsewhere, which is
    not followed. Raises OSError where the camera cannot be reached; ssl.SSLError is one.
    """

    def __init__(self, address: str, port: int, tls_name: str = "") -> None:
        self.received = self.redirected = False
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
        self.ends = [self.camera]
        self.thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.thread.join()

    def close(self) -> None:
        """Whoever reads from the camera is told at once that this is the end."""
        for end in (self.listener, *self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with self.camera, self.listener, suppress(OSError):
            ffmpeg, _ = self.listener.accept()
            self.ends.append(ffmpeg)
            with ffmpeg:
                self._carry(ffmpeg)

    def _carry(self, ffmpeg: socket.socket) -> None:
        said = bytearray()
        playing = False
        while True:
            ready = select.select([self.camera, ffmpeg], [], [])[0]
            if ffmpeg in ready:
                asked = ffmpeg.recv(1 << 16)
                playing = playing or asked.startswith(b"PLAY ")
                self.camera.sendall(asked)
                if not asked:
                    return
            if self.camera in ready:
                # As much as one TLS record has is read at once, so that nothing waits where `select` does not see it.
                answer = self.camera.recv(1 << 16)
                self.received = self.received or bool(answer)
                if not playing:
                    # FFmpeg takes a redirect until it asks for the pictures, and reads over returns wherever they are.
                    said += answer.replace(b"\r", b"").lower()
                    self.redirected = b"\nlocation:" in said
                if not answer or self.redirected or len(said) > MAX_SETUP_BYTES:
                    return
                ffmpeg.sendall(answer)
