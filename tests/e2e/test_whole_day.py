"""A registrar's and a lecturer's day with nothing replaced: servers, workers, models, browser, and a recording with
known attendance."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from tests.conftest import REPOSITORY
from tests.e2e.conftest import TIMEOUT_SECONDS

STUDENTS, ENROL = 12, 10
WORK_TIMEOUT_MS = 600_000  # milliseconds for what workers do, which everything else goes before
UPLOAD_SPEED = 500_000  # bytes a second, so that it isn't over before the server has stopped


class Server:
    """`make run` in a folder of its own."""

    def __init__(self, var: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.root = f"http://127.0.0.1:{self.port}"
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ROLLCALL_", "DJANGO_"))
        }
        self.environment = environment | {
            "ROLLCALL_DATA_DIR": str(var),
            "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
            "ROLLCALL_NETWORK_CACHE_DIR": os.environ["ROLLCALL_NETWORK_CACHE_DIR"],
        }
        self.password = ""

    def start(self) -> None:
        command = [sys.executable, "-m", "deploy.local", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        while "Rollcall is at" not in (line := self.process.stdout.readline()):
            assert line, "Rollcall did not start"
        if not self.password:
            self.password = re.search(r"password (\S+)", self.process.stdout.readline())[1]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Nearly everything here waits for a worker."""
    expect.set_options(timeout=WORK_TIMEOUT_MS)
    yield
    expect.set_options(timeout=TIMEOUT_SECONDS * 1000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "var")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def lecture(shared_data: Path, tmp_path: Path) -> tuple[Path, dict]:
    """A recording of 40 seconds and who was there."""
    video = tmp_path / "Lecture 1.mp4"
    roster = tmp_path / "names.txt"
    people = sorted(path.name for path in (shared_data / "people").iterdir() if path.is_dir())[:STUDENTS]
    roster.write_text("\n".join(people))
    program = shared_data.parent / "tools" / "make_lecture.py"
    arguments = [
        "--people",
        shared_data / "people",
        "--strangers",
        shared_data / "strangers",
        "--roster",
        roster,
        "--out",
        video,
    ]
    arguments += ["--enrol", ENROL, "--unknown", 2, "--duration", 40, "--fps", 2, "--gop", 4]
    subprocess.run([sys.executable, program, *map(str, arguments)], check=True)
    return video, json.loads(video.with_suffix(".json").read_text())


@pytest.fixture
def roster(shared_data: Path, tmp_path: Path, lecture: tuple[Path, dict]) -> tuple[Path, Path]:
    """The roster as a CSV file and everybody's enrolment photos as a zip."""
    sheet, photos = tmp_path / "roster.csv", tmp_path / "photos.zip"
    with sheet.open("w", newline="") as file, zipfile.ZipFile(photos, "w") as archive:
        rows = csv.writer(file)
        rows.writerow(["Matrikel", "Full name", "E-mail"])
        for number, name in enumerate(lecture[1]["roster"], start=1):
            rows.writerow([f"M{number:03}", name.replace("_", " "), f"m{number:03}@example.org"])
            pictures = sorted(
                (shared_data / "people" / name).iterdir(), key=lambda path: int(re.sub(r"\D", "", path.stem))
            )
            for picture in pictures[:ENROL]:
                archive.write(picture, f"M{number:03}/{picture.name}")
    return sheet, photos


def log_in(browser: Browser, root: str, name: str, password: str) -> Page:
    page = browser.new_context(locale="en-GB", accept_downloads=True).new_page()
    page.set_default_timeout(WORK_TIMEOUT_MS)
    page.goto(f"{root}/login/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{root}/")
    return page


def registrar_invites(page: Page, root: str) -> str:
    """The link for a lecturer, which is shown since there is no mail server."""
    page.goto(f"{root}/admin/auth/user/add/")
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("Last name").fill("Lovelace")
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_role("button", name="Invite", exact=True).click()
    return page.locator("code.secret").inner_text()


def lecturer_accepts(browser: Browser, root: str, link: str) -> Page:
    page = browser.new_context(locale="en-GB", accept_downloads=True).new_page()
    page.set_default_timeout(WORK_TIMEOUT_MS)
    page.goto(link)
    page.get_by_label("New password", exact=True).fill("correct horse battery")
    page.get_by_label("New password confirmation").fill("correct horse battery")
    page.get_by_role("button", name="Set password and log in").click()
    page.wait_for_url(f"{root}/")
    page.get_by_role("button", name="Skip the tour").click()
    return page


def registrar_prepares(page: Page, root: str, roster: tuple[Path, Path]) -> None:
    """The legal basis, and a class with its lecturer, its roster and the faces."""
    page.goto(f"{root}/institution/")
    page.select_option("[name=legal_basis]", "other")
    page.fill("[name=basis_text]", "None of these people exist.")
    page.locator("[name=act][value=basis]").click()
    expect(page.locator("body")).to_contain_text("Saved.")
    page.goto(f"{root}/admin/academics/course/add/")
    page.fill("[name=code]", "CS101")
    page.fill("[name=name]", "Computing")
    page.locator(".select2-selection--multiple").click()
    page.locator(".select2-results__option", has_text="Ada Lovelace").click()
    expect(page.locator(".select2-selection__choice")).to_contain_text("Ada Lovelace")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("was added successfully")

    page.goto(f"{root}/admin/academics/student/import/")
    page.set_input_files("[name=file]", roster[0])
    page.select_option("[name=course]", label="CS101 Computing")
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("Student number").select_option(label="Matrikel")
    page.get_by_role("button", name="Refresh preview").last.click()
    expect(page.locator(".roster")).to_contain_text("Nothing has been changed yet")
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/admin/academics/student/")
    page.goto(f"{root}/admin/biometrics/facephoto/zip/")
    page.set_input_files("[name=file]", roster[1])
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("body")).to_contain_text(f"{STUDENTS * ENROL} added, 0 skipped", timeout=WORK_TIMEOUT_MS)


def lecturer_uploads(page: Page, server: Server, video: Path) -> None:
    """A lecture, and its recording through the page while the server is restarted in the middle."""
    page.get_by_role("link", name="New lecture", exact=True).click()
    page.select_option("[name=course]", label="CS101 Computing")
    page.fill("[name=title]", "Trees")
    page.get_by_role("button", name="Create lecture").click()
    page.set_input_files("[data-upload] input[type=file]", video)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": UPLOAD_SPEED}
    network.send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="Upload and take attendance").click(no_wait_after=True)  # it sends by a script
    sent = page.locator(".upload progress")
    expect(page.locator(".upload [data-state]")).to_have_text(re.compile(r"\([2-5]\d %\)"), timeout=WORK_TIMEOUT_MS)
    server.stop()
    expect(page.locator(".upload")).to_contain_text("Connection lost", timeout=WORK_TIMEOUT_MS)
    assert float(sent.get_attribute("value")) < 1
    server.start()
    network.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    page.wait_for_url("**/recordings/**", timeout=WORK_TIMEOUT_MS)


def lecturer_watches(page: Page) -> None:
    """Until it is done, without a reload. It is shorter than the lecture, so the lecturer is asked about it."""
    loads = []
    page.on("load", lambda page: loads.append(page.url))
    expect(page.locator("main")).to_contain_text(
        "It lasts 40 seconds, but the lecture 90 minutes.", timeout=WORK_TIMEOUT_MS
    )
    assert not loads
    page.get_by_role("button", name="It is right: count it").click()
    expect(page.get_by_role("heading", name="Attendance")).to_be_visible()


def shown(page: Page) -> dict[str, str]:
    """Name -> status, as the lecture's page has them."""
    people = page.locator(".roll li").all()
    return {
        one.locator(".name").inner_text().removeprefix("Change").strip().rsplit(maxsplit=1)[0]: one.locator(".status")
        .inner_text()
        .removesuffix(" set by hand")
        for one in people
    }


def change(page: Page, name: str, status: str, reason: str) -> None:
    page.get_by_role("link", name=f"Change {name}", exact=True).click()
    form = page.get_by_role("region", name="Set the status")
    form.get_by_label("Status").select_option(label=status)
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text(reason)


def lecturer_corrects(page: Page, truth: dict, folder: Path) -> None:
    """Two students are corrected, an unknown person is named, the lecture is signed off, and the workbook says all
    of it."""
    there = {name.replace("_", " ") for name in truth["present"]}
    page.get_by_role("navigation", name="You are here").get_by_role("link").last.click()
    expect(page.locator(".roll li")).to_have_count(STUDENTS)
    statuses = shown(page)
    certain = {name for name, status in statuses.items() if status not in ("Not seen", "To be confirmed")}
    assert certain <= there
    assert len(there - certain) <= 1, "hardly anybody is left to a person"
    assert all(statuses[name] == "To be confirmed" for name in there - certain)
    assert page.locator(".stranger").count() >= len(truth["strangers"])

    address = page.url
    for name in there - certain:
        change(page, name, "Present", "The lecturer knows the face")
        page.goto(address)
        statuses[name] = "Present"
    absent, present = sorted(set(statuses) - there)[:2], sorted(certain)[0]
    change(page, absent[0], "Excused", "Doctor's note")
    page.goto(address)
    change(page, present, "Absent", "Somebody else sat there")
    page.goto(address)
    page.get_by_role("link", name="No. 1").click()
    page.get_by_label(absent[1]).check()
    page.get_by_label("Reason").fill("A new haircut")
    page.get_by_role("button", name="This is the student").click()
    expect(page.get_by_role("heading", name="Identified by staff")).to_be_visible()
    page.goto(address)
    statuses |= {absent[0]: "Excused", present: "Absent", absent[1]: "Present"}
    assert shown(page) == statuses
    for sentence in ("Doctor's note", "Somebody else sat there", "A new haircut"):
        expect(page.locator("main")).to_contain_text(sentence)

    page.get_by_text("Sign off", exact=True).click()
    page.get_by_role("button", name="Yes, sign off").click()
    expect(page.locator("main")).to_contain_text("Signed off by Ada Lovelace")
    expect(page.get_by_role("button", name="Set for selected")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Excel").click()
    download.value.save_as(folder / "lecture.xlsx")
    rows = load_workbook(folder / "lecture.xlsx")["Attendance"].iter_rows(min_row=2, values_only=True)
    signed = {name: "Absent" if status == "Not seen" else status for name, status in statuses.items()}
    assert {row[1]: row[2] for row in rows if row[1] in statuses} == signed


def day(server: Server, chromium: Browser, lecture: tuple[Path, dict], roster: tuple[Path, Path], folder: Path) -> None:
    registrar = log_in(chromium, server.root, "registrar", server.password)
    page = lecturer_accepts(chromium, server.root, registrar_invites(registrar, server.root))
    registrar_prepares(registrar, server.root, roster)
    page.goto(server.root)
    lecturer_uploads(page, server, lecture[0])
    lecturer_watches(page)

    lecturer_corrects(page, lecture[1], folder)


def test_from_the_roster_to_the_signed_workbook(
    server: Server, chromium: Browser, lecture: tuple[Path, dict], roster: tuple[Path, Path], tmp_path: Path
):
    day(server, chromium, lecture, roster, tmp_path)
