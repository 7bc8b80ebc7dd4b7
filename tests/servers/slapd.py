"""OpenLDAP's server with a few people and groups, on a port for StartTLS and one for TLS."""

import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.servers.stores import certificate, free_port, needed
from tests.waiting import DEADLINE_SECONDS

BASE = "dc=example,dc=edu"
ADMIN, ADMIN_PASSWORD = f"cn=rollcall,{BASE}", "bind secret"
PASSWORD = "lecturer's pass: ö"

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
# Nothing is answered without TLS.
security tls=1 ssf=128
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw "{password}"
directory {folder}/data
"""

PEOPLE = """
dn: {base}
objectClass: domain
dc: example

dn: ou=people,{base}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{base}
objectClass: organizationalUnit
ou: groups

dn: uid=ada,ou=people,{base}
objectClass: inetOrgPerson
uid: ada
cn: Ada Byron
givenName: Ada
sn: Byron
mail: ada@example.edu
employeeNumber: 1815
userPassword: {password}

dn: cn=registry,ou=groups,{base}
objectClass: groupOfNames
cn: registry
member: uid=ada,ou=people,{base}
"""


class Slapd:
    """A directory at localhost. `with` starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.tls_port = folder, free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def ca_certificate(self) -> str:
        return certificate(self.folder)[0].read_text()

    def start(self) -> None:
        program = needed("/usr/sbin/slapd", "slapd")
        crt, key = certificate(self.folder)
        (self.folder / "data").mkdir(exist_ok=True)
        config = self.folder / "slapd.conf"
        config.write_text(
            CONFIG.format(folder=self.folder, certificate=crt, key=key, base=BASE, admin=ADMIN, password=ADMIN_PASSWORD)
        )
        if not list((self.folder / "data").iterdir()):
            people = self.folder / "people.ldif"
            people.write_text(PEOPLE.format(base=BASE, password=PASSWORD))
            subprocess.run(
                [needed("/usr/sbin/slapadd", "slapd"), "-f", config, "-l", people], check=True, capture_output=True
            )
        urls = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        with (self.folder / "log").open("ab") as log:
            # Not a daemon: it ends with the tests.
            self.process = subprocess.Popen([program, "-d", "0", "-f", config, "-h", urls], stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.tls_port), timeout=5):
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
