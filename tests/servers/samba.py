"""Samba, with a share of its own."""

import getpass
import subprocess

from tests.servers.stores import FileServer, needed

CONFIG = """
[global]
    server role = standalone server
    interfaces = 127.0.0.1
    bind interfaces only = yes
    smb ports = {port}
    disable netbios = yes
    private dir = {folder}
    state directory = {folder}
    cache directory = {folder}
    lock directory = {folder}
    pid directory = {folder}
    ncalrpc dir = {folder}/rpc
    passdb backend = tdbsam
    username map = {folder}/users
    load printers = no
    log file = {folder}/log.smbd
    usershare max shares = 0
[recordings]
    path = {files}
    read only = yes
"""


class Samba(FileServer):
    kind = "smb"

    @property
    def address(self) -> str:
        return f"smb://localhost:{self.port}/recordings"

    def command(self) -> list[str]:
        smbd = needed("/usr/sbin/smbd", "samba")
        user = getpass.getuser()
        config = self.folder / "smb.conf"
        config.write_text(CONFIG.format(port=self.port, folder=self.folder, files=self.files))
        (self.folder / "users").write_text(f"{user} = {self.username}\n")
        subprocess.run(
            [needed("pdbedit", "samba-common-bin"), "-s", config, "-a", "-t", "-u", user],
            input=f"{self.password}\n{self.password}\n".encode(), check=True, capture_output=True,
        )  # fmt: skip
        return [smbd, "--foreground", "--no-process-group", "-s", str(config)]
