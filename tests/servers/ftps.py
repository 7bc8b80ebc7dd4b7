"""An FTPS server (pyftpdlib) that wants TLS for commands and data: `python -m tests.servers.ftps PORT FOLDER
CERTIFICATE` with the password on standard input.
"""

import importlib.util
import sys

from tests.servers.stores import USERNAME, FileServer, Missing, certificate


class PyFtpd(FileServer):
    kind = "ftps"

    @property
    def address(self) -> str:
        return f"ftps://localhost:{self.port}/"

    def command(self) -> list[str]:
        if not importlib.util.find_spec("pyftpdlib"):
            raise Missing("pyftpdlib is not installed (requirements-dev.txt)")
        cert, key = certificate(self.folder)
        together = self.folder / "both.pem"
        together.write_text(cert.read_text() + key.read_text())
        (self.folder / "password").write_text(self.password)
        return [
            sys.executable,
            "-m",
            "tests.servers.ftps",
            str(self.port),
            str(self.files),
            str(together),
            str(self.folder / "password"),
        ]


def main(port: str, folder: str, certificate: str, password: str) -> None:
    from pathlib import Path

    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import TLS_FTPHandler
    from pyftpdlib.servers import FTPServer

    class Handler(TLS_FTPHandler):
        authorizer = DummyAuthorizer()
        certfile = certificate
        tls_control_required = tls_data_required = True
        auth_failed_timeout = 0

    Handler.authorizer.add_user(USERNAME, Path(password).read_text(), folder, perm="elr")
    FTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
