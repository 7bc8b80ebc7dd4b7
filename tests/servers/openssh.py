"""OpenSSH's SFTP, with a user of its own that the machine does not know (nss_wrapper)."""

import os
import pwd
import subprocess
from pathlib import Path

from tests.servers.stores import FileServer, Missing, needed

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
UsePAM no
PasswordAuthentication yes
AuthorizedKeysFile {folder}/authorized_keys
PermitRootLogin yes
StrictModes no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


class OpenSsh(FileServer):
    kind = "sftp"

    @property
    def address(self) -> str:
        return f"sftp://localhost:{self.port}{self.files}"

    @property
    def host_key(self) -> str:
        """As a source keeps it."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    def new_host_key(self, kind: str = "ed25519") -> None:
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink(missing_ok=True)
        subprocess.run(
            [needed("ssh-keygen", "openssh-client"), "-q", "-t", kind, "-N", "", "-f", self.folder / "host_key"],
            check=True,
        )

    def command(self) -> list[str]:
        if not list(Path("/usr/lib").glob("*/libnss_wrapper.so")):
            raise Missing("libnss_wrapper is not installed (Debian: apt install libnss-wrapper)")
        sshd = needed("/usr/sbin/sshd", "openssh-server")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks itself up
        if not (self.folder / "host_key").exists():
            self.new_host_key()
        crypted = subprocess.run(
            [needed("openssl", "openssl"), "passwd", "-6", "-stdin"],
            input=self.password.encode(),
            capture_output=True,
            check=True,
        )
        lines = [f"{known.pw_name}:x:{known.pw_uid}:{known.pw_gid}::{known.pw_dir}:/bin/sh" for known in pwd.getpwall()]
        lines.append(f"{self.username}:x:{os.getuid()}:{os.getgid()}::{self.files}:/bin/sh")
        (self.folder / "passwd").write_text("\n".join(lines) + "\n")
        (self.folder / "group").write_text("root:x:0:\n")
        (self.folder / "shadow").write_text(f"{self.username}:{crypted.stdout.decode().strip()}:19000:0:99999:7:::\n")
        (self.folder / "config").write_text(CONFIG.format(port=self.port, folder=self.folder))
        return [sshd, "-D", "-e", "-r", "-f", str(self.folder / "config")]

    def environment(self) -> dict[str, str]:
        wrapped = {f"NSS_WRAPPER_{name.upper()}": str(self.folder / name) for name in ("passwd", "group", "shadow")}
        return {"LD_PRELOAD": "libnss_wrapper.so", "PATH": os.environ["PATH"]} | wrapped
