"""The documents' commands install Rollcall without Docker on a machine of its own, upgrade it, back it up, and bring it
back when all is gone: with users, folders, PostgreSQL, Valkey and nginx with TLS.

What would be downloaded is there already: packages of Debian and Python, and scripts of the pages. `systemctl` is
tests.deploy.units, and what `systemd-run` would start runs as the same user, with the same settings.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from campus.settings.encryption_keys import make_key
from tests.deploy.test_releases import release
from tests.deploy.units import Systemd
from tests.faults.conftest import Valkey
from tests.servers.postgres import Postgres, free_port, programs_folder
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = re.compile(r"(?<![\w.}])/(?=(?:opt|etc|var|mnt)/)")  # of the documents; those of the test are elsewhere
SERVICES = {unit.stem for unit in (ROOT / "deploy" / "systemd").glob("*.service") if "@" not in unit.stem}
HOST, PASSWORD, PASSPHRASE = "attendance.example.org", "a-password-of-the-test", "correct horse battery staple"
# Does for a command what the function `rollcall` of the document has systemd-run do.
SYSTEMD_RUN = """#!{python}
import os, sys
words = sys.argv[1:]
while words[0].startswith("--"):
    name, _, value = words.pop(0).partition("=")
    if name == "--working-directory":
        os.chdir(value)
    elif name == "--setenv":
        os.environ.update([value.split("=", 1)])
    elif value.startswith("EnvironmentFile="):
        lines = open(value.partition("=")[2]).read().splitlines()
        os.environ.update(line.split("=", 1) for line in lines if line and not line.startswith("#"))
os.umask(0o077)
os.execvp("setpriv", {as_user} + words)
"""
# In the place of Debian's /etc/nginx/nginx.conf.
NGINX = "user root; pid {folder}/pid; events {{}} http {{ access_log off; include {folder}/sites-enabled/*; }}"


def blocks(document: str, heading: str) -> list[str]:
    """The indented blocks of a section."""
    text = (ROOT / document).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in re.findall(r"(?:^    .*\n)+", text, re.M)]


def settings_in(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


class Machine(Systemd):
    """Runs the documents' commands, in folders of its own."""

    def __init__(self, root: Path, postgres: Postgres, broker: str) -> None:
        super().__init__(root / "etc/systemd/system", root / "opt/rollcall", {}, SERVICES)
        self.root, self.postgres, self.broker = root, postgres, broker
        self.https, self.http = free_port(), free_port()
        self.user = 0  # until useradd
        self.settings: dict[str, str] = {}
        self.function = ""
        for folder in ("etc/systemd/system", "etc/nginx/sites-enabled", "opt", "var/lib", "mnt", "bin", "scratch"):
            (root / folder).mkdir(parents=True)
        (root / "scratch").chmod(0o1777)
        for name in ("passwd", "group", "shadow", "gshadow", "login.defs"):
            shutil.copy(Path("/etc", name), root / "etc")
        self.nginx = ["/usr/sbin/nginx", "-e", f"{root}/etc/nginx/log", "-c", f"{root}/etc/nginx/nginx.conf"]
        (root / "etc/nginx/nginx.conf").write_text(NGINX.format(folder=root / "etc/nginx"))
        self.write_program("nginx", f'#!/bin/sh\nexec {shlex.join(self.nginx)} "$@"\n')

    def write_program(self, name: str, text: str) -> None:
        (self.root / "bin" / name).write_text(text)
        (self.root / "bin" / name).chmod(0o755)

    @property
    def shell_environment(self) -> dict[str, str]:
        """Of an administrator at the machine."""
        return {
            "PATH": f"{self.root}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:{programs_folder()}",
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": f"{self.root}/etc/passwd",
            "NSS_WRAPPER_GROUP": f"{self.root}/etc/group",
            "NSS_WRAPPER_HOSTS": f"{self.root}/etc/hosts",
            "PGHOST": str(self.postgres.folder),
            "PGPORT": str(self.postgres.port),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": f"{self.root}/scratch",
            # What a person types where a command asks for it.
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "ROLLCALL_BACKUP_PASSPHRASE": PASSPHRASE,
        }

    def follow(self, block: str) -> None:
        """Do what the block says, command by command; after `cd`, in that folder."""
        if function := re.search(r"^rollcall\(\) \{\n.*?^\}\n", block, re.DOTALL | re.MULTILINE):
            self.function, block = function[0], block.replace(function[0], "")
        folder = self.root
        for line in re.sub(r" *\\\n\s*", " ", block).splitlines():
            for command in re.sub(r"\s{2,}#.*", "", line).split(" && "):
                folder = self.do(command, folder)

    def do(self, command: str, folder: Path) -> Path:
        """Do what one command says; given is the folder of the next one."""
        words = shlex.split(command)
        match words[0]:
            case "apt":
                pass
            case "cd":
                return Path(self.here(words[1]))
            case "git":
                release(Path(self.here(words[-1])))
                for compiled in Path(self.here(words[-1]), "campus/locale").rglob("*.mo"):
                    compiled.unlink()
            case "useradd":
                self.shell(f"useradd --prefix {self.root} {shlex.join(words[1:])}", folder)
                self.take_user()
            case "systemctl":
                self.systemctl(*words[1:])
            case "manage.py":
                self.shell(f"rollcall {command}", folder)
            case "python3" if words[1] == "tools/fetch_scripts.py":
                assert (folder / words[2] / "ready").exists(), "make run and make test fetch them"
            case _:
                self.shell(command, folder)
        if words[:2] == ["python3", "tools/make_venv.py"]:
            self.share_packages(folder / words[2])
        if "deploy/environment.example" in words:
            self.fill_in()
        if "deploy/nginx.conf" in words:
            self.fill_in_site()
        return folder

    def here(self, text: str) -> str:
        return FOLDERS.sub(f"{self.root}/", text)

    def shell(self, command: str, folder: Path | None = None) -> str:
        # Without a terminal: a question reads the standard input.
        done = subprocess.run(
            ["setsid", "bash", "-euc", self.here(f"{self.function}\n{command}")],
            cwd=folder or self.root,
            env=self.shell_environment,
            input=PASSPHRASE if "/dev/stdin" in command else f"{PASSWORD}\n{PASSWORD}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def take_user(self) -> None:
        """Services and commands run as the user that useradd has made, if others than root may read the program."""
        programs = (ROOT, Path(sys.executable).resolve(), Path(sysconfig.get_path("purelib")))
        if all(folder.stat().st_mode & stat.S_IXOTH for program in programs for folder in program.parents):
            (user,) = re.findall(r"^rollcall:[^:]*:(\d+):", (self.root / "etc/passwd").read_text(), re.MULTILINE)
            self.user = int(user)
        self.write_program("systemd-run", SYSTEMD_RUN.format(python=sys.executable, as_user=self.as_user))

    def share_packages(self, environment: Path) -> None:
        """The environment has what that of the tests has, so that pip finds all that the locks name."""
        (site,) = environment.glob("lib/python*/site-packages")
        for own in site.glob("setuptools*"):  # of Python 3.11, which pip would replace
            shutil.rmtree(own)
        (site / "shared.pth").write_text(sysconfig.get_path("purelib"))
        for program in Path(sys.executable).parent.iterdir():
            if not (environment / "bin" / program.name).exists():
                (environment / "bin" / program.name).symlink_to(program)

    def fill_in(self) -> None:
        assert stat.S_IMODE((self.root / "etc/rollcall/environment").stat().st_mode) == 0o600
        self.settings = {
            "ROLLCALL_SECRET_KEY": "0123456789" * 5,
            "ROLLCALL_ENCRYPTION_KEYS": make_key(),
            "ROLLCALL_DATABASE_URL": f"postgres://rollcall:{PASSWORD}@127.0.0.1:{self.postgres.port}/rollcall",
            "ROLLCALL_REDIS_URL": f"{self.broker}/0",
            "ROLLCALL_CACHE_URL": f"{self.broker}/1",
        }
        self.change_settings(self.settings)

    def change_settings(self, values: dict[str, str]) -> None:
        file = self.root / "etc/rollcall/environment"
        text = file.read_text()
        for name, value in values.items():
            text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
            assert f"{name}={value}\n" in text
        file.write_text(text)

    def fill_in_site(self) -> None:
        """The ports of the test, and its folders."""
        file = self.root / "etc/nginx/sites-enabled/rollcall"
        site = re.sub(r"^ *listen \[::\].*\n", "", self.here(file.read_text()), flags=re.MULTILINE)
        site = site.replace("listen 80;", f"listen {self.http};").replace("listen 443 ", f"listen {self.https} ")
        for port, unit in ((8000, "rollcall-web"), (8001, "rollcall-transfers")):
            site = site.replace(f"127.0.0.1:{port}", "{}:{}".format(*self.address(unit)))
        file.write_text(site)

    def systemctl(self, action: str, *units: str) -> None:
        match (action, *units):
            case ("reload", "nginx"):
                subprocess.run(self.nginx, check=True)
            case ("enable", "--now", "rollcall.target"):
                wanted = [
                    file for file in self.units.glob("*.service") if "WantedBy=rollcall.target" in file.read_text()
                ]
                super().systemctl("start", *sorted(file.stem for file in wanted))
            case _:
                super().systemctl(action, *units)

    def serve(self, *units: str) -> None:
        """From now on only these of the services."""
        self.served = set(units)
        for unit in list(self.processes):
            self.stop(unit)

    def command_of(self, command: list[str]) -> list[str]:
        return [*self.as_user, *map(self.here, command)]

    @property
    def as_user(self) -> list[str]:
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--no-new-privs"]

    def environment_of(self, text: str) -> dict[str, str]:
        """As the unit says; its state folder is made."""
        assert "\nUser=rollcall\nGroup=rollcall\n" in text
        environment = {"PATH": os.environ["PATH"], "TMPDIR": f"{self.root}/scratch", "PYTHONDONTWRITEBYTECODE": "1"}
        for words in re.findall(r"^Environment=(.*)$", text, re.MULTILINE):
            environment |= dict(word.split("=", 1) for word in words.split())
        for file in re.findall(r"^EnvironmentFile=(.*)$", text, re.MULTILINE):
            environment |= settings_in(Path(self.here(file)).read_text())
        for name in re.findall(r"^StateDirectory=(.*)$", text, re.MULTILINE):
            folder = self.root / "var/lib" / name
            if not folder.exists():
                folder.mkdir(mode=0o750)
                networks = Path(os.environ["ROLLCALL_NETWORK_CACHE_DIR"])
                if networks.exists():  # or else the release converts them
                    shutil.copytree(networks, folder / "networks")
                for path in (folder, *folder.rglob("*")):
                    os.chown(path, self.user, self.user)
        for name, file in re.findall(r"^LoadCredential=(.*?):(.*)$", text, re.MULTILINE):
            credentials = self.root / "credentials"
            credentials.mkdir(exist_ok=True)
            shutil.copy(self.here(file), credentials / name)
            os.chown(credentials / name, self.user, self.user)
        return {name: self.here(value).replace("%d", f"{self.root}/credentials") for name, value in environment.items()}


class Registrar:
    """Somebody at a browser, who goes through nginx."""

    def __init__(self, machine: Machine) -> None:
        self.address, self.session = f"https://127.0.0.1:{machine.https}", requests.Session()
        self.session.trust_env = False
        self.session.verify = f"{machine.root}/etc/ssl/rollcall/fullchain.pem"
        self.session.headers.update({"Host": HOST, "Referer": f"https://{HOST}/"})

    def gets_answers(self) -> bool:
        return self.session.get(f"{self.address}/livez", timeout=120).ok  # 502 until the web server is there

    def get(self, path: str) -> requests.Response:
        answer = self.session.get(self.address + path, timeout=120, allow_redirects=False)
        assert answer.status_code == 200, (path, answer.status_code, answer.headers)
        return answer

    def post(self, path: str, page: str, **fields: str) -> None:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page).text)
        assert token
        fields["csrfmiddlewaretoken"] = token[1]
        answer = self.session.post(self.address + path, data=fields, timeout=120, allow_redirects=False)
        assert answer.status_code == 302, answer.text

    def log_in(self) -> None:
        self.post("/login/", "/login/", username="registrar", password=PASSWORD)

    def make_token(self) -> Any:
        words = {"username": "registrar", "password": PASSWORD}
        return self.session.post(f"{self.address}/api/v1/token/", json=words, timeout=120).json()["token"]


@pytest.fixture
def machine() -> Iterator[Machine]:
    if os.getuid() != 0:
        pytest.skip("users and their folders can be made by root alone")
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short, and others must be able to enter
        Path(folder).chmod(0o755)
        postgres, valkey = Postgres(Path(folder, "postgres")), Valkey(folder, "127.0.0.1")
        machine = Machine(Path(folder, "machine"), postgres, valkey.url.removesuffix("/0"))
        machine.shell("runuser -u postgres -- dropdb rollcall")  # which the document makes
        try:
            yield machine
        finally:
            machine.stop_all()
            subprocess.run([*machine.nginx, "-s", "stop"], check=False)
            postgres.stop()
            valkey.stop()


def make_certificate(folder: Path) -> None:
    new_key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={HOST}"]
    names = ["-addext", f"subjectAltName=DNS:{HOST},IP:127.0.0.1", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
    subprocess.run([*new_key, *names], cwd=folder, check=True, capture_output=True)


def check_files_of_the_pages(registrar: Registrar) -> None:
    """What the login page names is there, compressed."""
    files = re.findall(r'(?:src|href)="(/static/[^"#]+\.(?:css|js))"', registrar.get("/login/").text)
    assert files
    for file in files:
        assert registrar.get(file).headers["Content-Encoding"] == "br", file


def process_a_recording(machine: Machine, registrar: Registrar) -> None:
    """The client of the document sends one, and a worker answers: nobody has said yet whose faces may be recognised."""
    Image.effect_noise((640, 480), 60).convert("RGB").save(machine.root / "room.jpg")
    (machine.root / "etc/hosts").write_text(f"127.0.0.1 {HOST}\n")
    (command,) = blocks("deploy/README.md", "Programs")
    for word, real in {
        "ROLLCALL_TOKEN=...": f"ROLLCALL_TOKEN={registrar.make_token()}",
        f"https://{HOST}": f"https://{HOST}:{machine.https}",
        "CS101": "DEMO-101",
        "lecture.mp4": f"{machine.root}/room.jpg",
    }.items():
        assert word in command
        command = command.replace(word, real)
    certificate = f"SSL_CERT_FILE={machine.root}/etc/ssl/rollcall/fullchain.pem"
    output = machine.shell(f"{{ {certificate} {command.strip()}; }} 2>&1 || true", machine.program)
    assert "100% sent" in output
    assert "to be checked" in output  # a picture of the room, in which nobody is known yet


def test_the_documented_commands_install_upgrade_back_up_and_restore(machine: Machine) -> None:
    install, after, *_others = blocks("deploy/README.md", "Without Docker")
    back_up, passphrase, check, restore_keys, restore = blocks("docs/administration.md", "Backup and restore")
    (upgrade,) = blocks("docs/administration.md", "Upgrade and roll back")
    fetch, _, rest = install.partition("python3 tools/fetch_scripts.py")
    machine.follow(fetch)
    make_certificate(machine.program)
    machine.follow(f"cd {machine.program}\npython3 tools/fetch_scripts.py{rest}")
    registrar = Registrar(machine)
    wait_until(registrar.gets_answers, "nginx and the web server answer")
    machine.follow(after.replace("createsuperuser", "createsuperuser --noinput --username registrar --email r@x.org"))
    check_files_of_the_pages(registrar)
    registrar.log_in()
    registrar.post("/sample/create/", "/")
    faces = sorted(set(re.findall(r'"(/photos/[^"]+/)"', registrar.get("/classes/1/photos/").text)))
    face = registrar.get(faces[0]).content
    process_a_recording(machine, registrar)
    assert not {unit for unit, process in machine.processes.items() if process.poll() is not None}, "they still run"

    machine.serve("rollcall-release", "rollcall-web", "rollcall-backup")
    shutil.copytree(machine.program.resolve(), machine.root / "opt/rollcall-NEW", symlinks=True)
    machine.follow(upgrade)
    assert machine.program.resolve().name == "rollcall-NEW"
    wait_until(registrar.gets_answers, "the new web server answers")
    assert registrar.get(faces[0]).content == face

    report = machine.root / "var/lib/rollcall/Reports/CS101.xlsx"
    report.write_bytes(b"a workbook")
    machine.follow(back_up)
    machine.follow(passphrase)
    machine.follow(check)
    machine.systemctl("start", "rollcall-backup")
    machine.serve("rollcall-release", "rollcall-web")

    shutil.rmtree(machine.root / "var/lib/rollcall")
    machine.shell("runuser -u postgres -- dropdb rollcall")
    machine.change_settings({"ROLLCALL_ENCRYPTION_KEYS": make_key(), "ROLLCALL_SECRET_KEY": "9876543210" * 5})
    (create_database,) = [line for line in install.splitlines() if "createdb" in line]
    machine.follow(create_database)
    machine.systemctl("start", "rollcall-release")
    machine.follow(restore_keys)
    restored = settings_in((machine.root / "var/lib/rollcall/restored-keys").read_text())
    assert restored["ROLLCALL_ENCRYPTION_KEYS"] == machine.settings["ROLLCALL_ENCRYPTION_KEYS"]
    machine.change_settings(restored)
    machine.follow(restore)
    machine.systemctl("enable", "--now", "rollcall.target")
    registrar = Registrar(machine)
    wait_until(registrar.gets_answers, "the restored web server answers")
    registrar.log_in()
    assert registrar.get(faces[0]).content == face
    assert report.read_bytes() == b"a workbook"
