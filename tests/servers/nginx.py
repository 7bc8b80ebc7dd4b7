"""nginx: a list of links with a password, and WebDAV."""

import getpass
import subprocess
from pathlib import Path

from tests.servers.stores import FileServer, Missing, certificate, needed

MODULE = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
CONFIG = """
load_module {module};
daemon off;
user {user};
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    server_tokens off;
    sendfile on;
    {temporary}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        auth_basic files;
        auth_basic_user_file {folder}/users;
        location /list/ {{ alias {files}/; autoindex on; }}
        location /dav {{ alias {files}; dav_ext_methods PROPFIND OPTIONS; }}
        location /away/ {{ return 302 http://169.254.169.254/latest$request_uri; }}
    }}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx(FileServer):
    """Its list of links; `NginxDav` is its WebDAV."""

    kind, location = "http", "list"

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}/{self.location}"

    def command(self) -> list[str]:
        nginx = needed("/usr/sbin/nginx", "nginx-light")
        if not MODULE.exists():
            raise Missing("nginx's WebDAV is not installed (Debian: apt install libnginx-mod-http-dav-ext)")
        certificate(self.folder)
        crypted = subprocess.run(
            [needed("openssl", "openssl"), "passwd", "-6", "-stdin"],
            input=self.password.encode(),
            capture_output=True,
            check=True,
        )
        (self.folder / "users").write_text(f"{self.username}:{crypted.stdout.decode().strip()}\n")
        self.folder.chmod(0o755)
        temporary = "\n    ".join(f"{name}_temp_path {self.folder}/{name};" for name in TEMPORARY)
        config = CONFIG.format(
            module=MODULE,
            user=getpass.getuser(),
            folder=self.folder,
            files=self.files,
            port=self.port,
            temporary=temporary,
        )
        (self.folder / "nginx.conf").write_text(config)
        return [nginx, "-e", "stderr", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]


class NginxDav(Nginx):
    kind, location = "webdav", "dav"
