"""nginx as deploy/nginx.conf has it, in front of a web server of the tests."""

import re
import ssl
from pathlib import Path

from tests.servers.stores import FileServer, certificate, free_port, needed

CONFIG = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
MAIN = """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 768; }}
http {{
    access_log off;
    {temporary}
    # Who asks is who the test says: deploy/nginx.conf believes nobody.
    set_real_ip_from 127.0.0.1;
    real_ip_header Test-Client;
    include {folder}/site.conf;
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def write_config(folder: Path, *, port: int, pages: int, transfers: int) -> Path:
    """Write deploy/nginx.conf for these ports and a certificate of its own; returns the file for `nginx -c`."""
    cert, key = certificate(folder)
    site = CONFIG.read_text().replace("/etc/ssl/rollcall/fullchain.pem", str(cert))
    site = site.replace("/etc/ssl/rollcall/privkey.pem", str(key))
    site = re.sub(r"listen (\[::\]:)?80;", f"listen 127.0.0.1:{free_port()};", site, count=1)
    site = re.sub(r"listen 443 ", f"listen 127.0.0.1:{port} ", site)
    site = re.sub(r" *listen \[::\]:.*\n", "", site)
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{pages}").replace("127.0.0.1:8001", f"127.0.0.1:{transfers}")
    (folder / "site.conf").write_text(site)
    temporary = "\n    ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, temporary=temporary))
    return folder / "nginx.conf"


class Site(FileServer):
    """It answers at https://localhost:port/; the header Test-Client says from which address a request seems to come."""

    def __init__(self, folder: Path, *, pages: int, transfers: int) -> None:
        super().__init__(folder)
        self.pages, self.transfers = pages, transfers

    def command(self) -> list[str]:
        nginx = needed("/usr/sbin/nginx", "nginx-light")
        config = write_config(self.folder, port=self.port, pages=self.pages, transfers=self.transfers)
        return [nginx, "-e", "stderr", "-p", str(self.folder), "-c", str(config)]

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "cert.pem"))
