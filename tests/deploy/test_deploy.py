"""The files in deploy/ name commands and settings that exist, and the programs that read them accept them."""

import importlib.util
import os
import re
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from PIL import Image

from campus.settings.encryption_keys import make_key, parse_keys
from workers.celery import app

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
QUEUES = {queue.name for queue in app.conf.task_queues}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def compose_commands() -> Iterator[list[str]]:
    for service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values():
        command = service.get("command", [])
        yield from (shlex.split(part) for part in command[2].split("&&")) if command[:2] == ["sh", "-c"] else [command]


def unit_commands(unit: Path) -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^ExecStart(?:Pre)?=(.*)$", unit.read_text(), re.MULTILINE)]


def image_commands() -> Iterator[list[str]]:
    for name in ("Dockerfile", "Dockerfile.gpu"):
        yield from (
            yaml.safe_load(line) for line in re.findall(r"^CMD (\[.*\])$", (DEPLOY / name).read_text(), re.MULTILINE)
        )


COMMANDS = [
    command
    for command in [
        *compose_commands(),
        *image_commands(),
        *(command for unit in UNITS for command in unit_commands(unit)),
    ]
    if command and Path(command[0]).name == "python"
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_has_limits_and_writes_files_for_itself_only(unit: Path) -> None:
    settings = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line)
    assert settings["UMask"] == "0077"
    assert re.fullmatch(r"\d+[MG]", settings["MemoryMax"])
    assert settings["TasksMax"].isdigit()


def test_every_container_has_limits(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert {"mem_limit", "pids_limit"} <= service.keys(), name


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_exist(command: list[str]) -> None:
    check_command(command)


def check_command(command: list[str]) -> None:
    """Fail if a file in deploy/ starts something that there is not."""
    if command[1] == "manage.py":
        assert command[2] in get_commands()
        return
    assert command[1] == "-m"
    assert importlib.util.find_spec(command[2])
    if command[2] == "gunicorn":
        assert command[3:5] == ["-c", "python:campus.settings.gunicorn"]
        assert importlib.util.find_spec(command[5])
    elif command[2] == "celery":
        assert command[3:5] == ["-A", "workers"]
        assert command[5] in {"worker", "beat"}
    else:
        assert command[2] in {"workers.recorder", "workers.networks", "campus.settings.encryption_keys"}


def release_steps(text: str) -> list[str]:
    """What is done once for a release."""
    return re.findall(r"manage\.py \w+|-m workers\.networks", text)


def test_a_release_takes_the_same_steps_everywhere(compose: dict[str, Any]) -> None:
    steps = release_steps((DEPLOY / "systemd" / "rollcall-release.service").read_text())
    assert steps == ["manage.py migrate", "manage.py collectstatic", "-m workers.networks", "manage.py doctor"]
    assert release_steps(compose["services"]["setup"]["command"][2]) == steps
    for unit in UNITS:
        if unit.stem != "rollcall-release":
            assert not set(steps) & set(release_steps(unit.read_text()))


def queues(command: list[str]) -> set[str]:
    return set(command[command.index("-Q") + 1].split(",")) if "-Q" in command else set()


def test_every_queue_has_a_worker_in_each_profile_and_with_systemd(compose: dict[str, Any]) -> None:
    for profile in ("cpu", "gpu"):
        services = [
            service for service in compose["services"].values() if profile in service.get("profiles", [profile])
        ]
        assert set().union(*(queues(service.get("command", [])) for service in services)) == QUEUES
    assert set().union(*(queues(command) for unit in UNITS for command in unit_commands(unit))) == QUEUES


def test_the_sweeper_waits_behind_nothing(compose: dict[str, Any]) -> None:
    commands = [service.get("command", []) for service in compose["services"].values()]
    commands += [command for unit in UNITS for command in unit_commands(unit)]
    assert [queues(command) for command in commands if "sweep" in queues(command)] == [{"sweep"}, {"sweep"}]


def test_one_scheduler_runs(compose: dict[str, Any]) -> None:
    assert sum("beat" in service.get("command", []) for service in compose["services"].values()) == 1
    assert sum("beat" in command for unit in UNITS for command in unit_commands(unit)) == 1


def test_a_recorder_runs(compose: dict[str, Any]) -> None:
    recorder = ["-m", "workers.recorder"]
    assert any(
        service.get("command", [])[1:] == recorder and "profiles" not in service
        for service in compose["services"].values()
    )
    assert any(command[1:] == recorder for unit in UNITS for command in unit_commands(unit))


def test_the_target_starts_every_unit() -> None:
    wanted = re.findall(r"^Wants=(.*)$", (DEPLOY / "systemd" / "rollcall.target").read_text(), re.MULTILINE)
    timers = {path.stem: path.name for path in (DEPLOY / "systemd").glob("*.timer")}  # these start their unit
    sockets = {path.name for path in (DEPLOY / "systemd").glob("*.socket")}
    # Those of a release and of the cards are started by hand.
    by_hand = {"rollcall-release.service", "rollcall-vision-gpu@.service"}
    units = {timers.get(unit.stem, unit.name) for unit in UNITS} - by_hand
    assert set(" ".join(wanted).split()) == units | sockets


def test_services_have_health_checks_and_time_to_stop(compose: dict[str, Any]) -> None:
    for name in (
        "web",
        "transfers",
        "worker",
        "quick",
        "sweeper",
        "collector",
        "vision-cpu",
        "vision-gpu",
        "valkey",
        "postgres",
    ):
        assert compose["services"][name]["healthcheck"]["test"]
    for name in (
        "web",
        "transfers",
        "worker",
        "quick",
        "sweeper",
        "collector",
        "recorder",
        "vision-cpu",
        "vision-gpu",
        "postgres",
    ):
        assert compose["services"][name]["stop_grace_period"] == "60s"


def test_no_secret_is_in_the_files(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        secret = {name for name in service.get("environment", {}) if re.search("PASSWORD|SECRET|TOKEN", name)}
        assert all(name.endswith("_FILE") for name in secret)
    example = (DEPLOY / "environment.example").read_text()
    assert re.search(r"^ROLLCALL_SECRET_KEY=$", example, re.MULTILINE)
    assert re.search(r"^ROLLCALL_ENCRYPTION_KEYS=$", example, re.MULTILINE)


def test_compose_makes_an_encryption_key_once(compose: dict[str, Any], tmp_path: Path) -> None:
    setup = compose["services"]["setup"]
    file = Path(setup["environment"]["ROLLCALL_ENCRYPTION_KEYS_FILE"])
    assert f"keys:{file.parent}" in setup["volumes"], "not where the data are"
    environment = os.environ | {"ROLLCALL_ENCRYPTION_KEYS_FILE": str(tmp_path / "keys")}
    command = setup["command"][2].replace("$$", "$").replace("python -m", f"{sys.executable} -m")
    only_the_key = ["sh", "-c", command.partition("&& python manage.py")[0]]
    subprocess.run(only_the_key, cwd=ROOT, env=environment, check=True)
    first = (tmp_path / "keys").read_text()
    assert len(parse_keys(first)) == 1
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    subprocess.run(only_the_key, cwd=ROOT, env=environment, check=True)
    assert (tmp_path / "keys").read_text() == first


def test_every_setting_is_explained_and_every_explained_setting_is_read() -> None:
    sources = [path.read_text() for path in (ROOT / "campus" / "settings").glob("*.py") if path.name != "test.py"]
    read = set(re.findall(r"env\.\w+\(\s*\"(\w+)\"", "\n".join(sources))) | {
        "ROLLCALL_NETWORK_CACHE_DIR",
        "ROLLCALL_PRECISION",
        "ROLLCALL_WEIGHTS_DIR",
    }
    example = (DEPLOY / "environment.example").read_text().splitlines()
    explained = [
        (number, match[1])
        for number, line in enumerate(example)
        if (match := re.match(r"(?:# )?(ROLLCALL_\w+)=", line))
    ]
    assert sorted(name for _, name in explained) == sorted(read)
    for number, name in explained:
        assert re.match(r"# \S", example[number - 1]), f"{name} has no line that explains it"


READ_A_TABLE = """
try:
    import campus.academics.file_readers
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("A web process can read tables.")
"""


def copied_into(image: str) -> set[str]:
    text = (DEPLOY / image).read_text()
    return {name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()}


def test_nothing_runs_as_root_in_an_image_and_that_with_a_gpu_has_the_same_program() -> None:
    for image in ("Dockerfile", "Dockerfile.gpu"):
        assert re.search(r"^USER 10001$", (DEPLOY / image).read_text(), re.MULTILINE)
    # It serves no pages and signs nobody in.
    of_the_web = {"requirements-ldap.txt", "tools/fetch_scripts.py"}
    assert copied_into("Dockerfile.gpu") == copied_into("Dockerfile") - of_the_web


def test_an_image_has_what_the_program_needs_and_writes_into_its_data_folder_alone(tmp_path: Path) -> None:
    copied = copied_into("Dockerfile")
    assert {path.name for path in ROOT.iterdir() if path.is_dir()} & copied == {
        "recognition",
        "campus",
        "workers",
        "locks",
    }
    (tmp_path / "program").mkdir()
    for name in copied:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / "program" / name)
        else:
            shutil.copy(ROOT / name, tmp_path / "program")
    program_files = sorted((tmp_path / "program").rglob("*"))
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "campus.settings.prod",
        "DJANGO_SUPERUSER_PASSWORD": "a-password-of-the-test",
        "HOME": str(tmp_path / "var"),
        "PYTHONDONTWRITEBYTECODE": "1",  # in the image, these files cannot be written, and are not needed
        "ROLLCALL_SECRET_KEY": string.ascii_letters,
        "ROLLCALL_ENCRYPTION_KEYS": make_key(),
        "ROLLCALL_DATA_DIR": str(tmp_path / "var"),
        "ROLLCALL_REPORTS_DIR": str(tmp_path / "var" / "Reports"),
        "ROLLCALL_CACHE_URL": "redis://127.0.0.1:1/1",
    }
    for command in (
        ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        ["-c", f"import campus.wsgi\n{READ_A_TABLE}"],
        ["-c", "import workers; workers.app.loader.import_default_modules()"],
        ["manage.py", "migrate", "--noinput"],
        ["manage.py", "createsuperuser", "--noinput", "--username", "registrar", "--email", "registrar@example.org"],
        ["-m", "recognition", "weights", "list"],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path / "program",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "program").rglob("*")) == program_files, "in the image, the program's folder is read-only"


def test_hadolint_accepts_the_images() -> None:
    command = [Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile", DEPLOY / "Dockerfile.gpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (Debian: apt install systemd)")
    for path in (DEPLOY / "systemd").iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/rollcall/.venv/bin/python", sys.executable))
    units = [str(tmp_path / path.name) for path in (DEPLOY / "systemd").iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    lines_about_units = [line for line in done.stderr.splitlines() if "rollcall" in line]
    assert done.returncode == 0, done.stderr
    assert lines_about_units == []


def test_nginx_accepts_the_site(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx or not shutil.which("openssl"):
        pytest.skip("nginx or openssl is not installed (Debian: apt install nginx-light openssl)")
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    new_key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=attendance.example.org"]
    subprocess.run([*new_key, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    site = (DEPLOY / "nginx.conf").read_text().replace("/etc/ssl/rollcall", str(tmp_path))
    (tmp_path / "site.conf").write_text(re.sub(r"\b(listen (?:\[::\]:)?)(80|443)\b", r"\g<1>18\2", site))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ include {tmp_path}/site.conf; }}\n"
    )
    done = subprocess.run(
        [nginx, "-t", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_can_do_little_else(unit: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (Debian: apt install systemd)")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]  # 2.0 of 10
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_decodes_files_is_confined_in_a_unit_too(tmp_path: Path) -> None:
    """systemd's own list of calls for services lacks those of Landlock and seccomp on Debian 12."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (Debian: apt install systemd)")
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    script = (
        "import sys; from pathlib import Path; from recognition.sandbox import confinement\n"
        "from recognition.media.photo import read_photo\n"
        "assert confinement.HAS_LANDLOCK and confinement.HAS_SECCOMP\n"
        "print(read_photo(Path(sys.argv[1]))[0].shape)"
    )
    command = [
        sys.executable,
        "-m",
        "tests.deploy.unit_filter",
        sys.executable,
        "-c",
        script,
        str(tmp_path / "photo.png"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "(48, 64, 3)\n", done.stderr
