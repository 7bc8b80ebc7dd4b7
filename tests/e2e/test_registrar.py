"""A registrar's morning in a real browser: the roster of a class, the photos of its students, and what is still to
do."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from campus.academics.models import Course, Student
from campus.biometrics.look_alikes import save_look_alikes
from campus.biometrics.models import FacePhoto
from campus.biometrics.services import save_photo_verdict
from campus.cctv.models import Source
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from tests.campus import factories
from tests.campus.conftest import jpeg
from tests.campus.file_imports import read_uploads
from tests.campus.web.admin_tools import picture
from tests.e2e.conftest import SignIn, sees, until, usable

ROSTER = "Matrikelnummer;Vorname;Nachname;Kurs\nX1;Zoë;Åberg;CS101\nX2;Yan;Li;CS101\n"


@pytest.fixture
def registrar(page: Page, sign_in: SignIn) -> Page:
    factories.course(code="CS101")
    sign_in(factories.registrar())
    return page


def look_at_all() -> None:
    """As a worker would: the first photo is good, the next ones are not."""
    for n, photo in enumerate(FacePhoto.objects.filter(state="pending").order_by("created_at")):
        good = n == 0
        result = EnrolmentPhoto(
            verdict="accepted" if good else "rejected",
            reason=Message() if good else Message("The face is blurred (sharpness 12)."),
            crop=jpeg() if good else None,
        )
        save_photo_verdict(photo=photo, result=result, embedder="dlib-resnet-v1")


def test_the_roster_then_the_photos_then_what_is_left(registrar: Page, tmp_path: Path) -> None:
    page = registrar
    file = tmp_path / "roster.csv"
    file.write_text(ROSTER)
    page.goto("/admin/academics/student/import/")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="Preview").click()
    sees(page, "roster.csv is being read")
    usable(page)
    read_uploads()
    sees(page, "2 new")  # by itself
    usable(page)
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/admin/academics/student/")
    sees(page, "2 new, 0 changed")
    student = Student.objects.get(number="X1")
    assert student.name == "Zoë Åberg"

    page.goto(f"/admin/academics/student/{student.pk}/photos/")
    paths = []
    for colour in ("red", "blue"):
        paths.append(tmp_path / f"{colour}.jpg")
        paths[-1].write_bytes(picture(colour))
    page.set_input_files("[data-files]", paths)
    until(page, lambda: FacePhoto.objects.count() == 2)
    look_at_all()
    sees(page, "2 of 2 checked: 1 usable, 1 not usable", "sharpness 12")
    expect(page.locator("[data-list] img")).to_be_visible()
    usable(page)

    page.goto("/admin/")
    sees(page, "2 students with fewer than 5 usable photos", "There are no lectures today", "broker")
    page.get_by_role("link", name="CS101").click()
    sees(page, "Students with too few usable photos", "Åberg")


def test_the_first_page_leads_on_and_makes_and_removes_a_sample(page: Page, sign_in: SignIn) -> None:
    sign_in(factories.registrar())
    page.goto("/")
    sees(page, "0 of 9 done", "broker can't be reached")  # which htmx has loaded
    expect(page.get_by_role("link", name="Name the institution")).to_be_visible()
    usable(page)
    page.get_by_role("button", name="Fill a sample class").click()
    sees(page, "The sample class is ready")
    page.goto("/")
    page.get_by_text("Remove the sample", exact=True).click()
    usable(page)
    page.get_by_role("button", name="Yes, remove it").click()
    sees(page, "The sample class is removed", "No classes yet")
    assert not Student.objects.exists()


def test_a_roster_in_another_encoding_and_with_another_number_of_somebody(registrar: Page, tmp_path: Path) -> None:
    page, course = registrar, Course.objects.get()
    student = factories.student(number="1234", name="Łukasz Wójcik")
    factories.enrol(course, student)
    factories.enrol(course, factories.student())
    file = tmp_path / "roster.csv"
    file.write_bytes("Course list\n\nnumber;name;class\n0001234;Łukasz Wójcik;CS101\n".encode("cp1250"))
    page.goto("/admin/academics/student/import/")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="Preview").click()
    sees(page, "is being read")
    read_uploads()
    sees(page, "Check that these are right: Łukasz Wójcik", "The same person? 1 row to decide")
    usable(page)

    page.get_by_label("Encoding").select_option("cp1252")
    page.get_by_role("button", name="Refresh preview").first.click()
    sees(page, "is being read")
    read_uploads()
    sees(page, "£ukasz Wójcik")
    page.get_by_text("File", exact=True).click()
    page.get_by_label("Encoding").select_option("cp1250")
    page.get_by_role("button", name="Refresh preview").first.click()
    sees(page, "is being read")
    read_uploads()

    page.get_by_label("The file is the complete roster").check()
    page.get_by_role("button", name="Import").click()
    sees(page, "Choose for each whether they are the same person")
    page.get_by_label("The same person: 1234 becomes 0001234").check()
    page.get_by_role("button", name="Import").click()
    sees(page, "More than a tenth of a class would leave")
    page.get_by_label("1 of 2 students leave CS101").check()
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/admin/academics/student/")
    sees(page, "0 new, 1 changed, 1 ended")
    student.refresh_from_db()
    assert student.number == "0001234"


def test_a_folder_of_folders_goes_to_its_students(registrar: Page, tmp_path: Path) -> None:
    for number in ("X1", "X2"):
        factories.student(number=number)
        (tmp_path / "people" / number).mkdir(parents=True)
        (tmp_path / "people" / number / "1.jpg").write_bytes(picture())
    (tmp_path / "people" / "nobody").mkdir()
    (tmp_path / "people" / "nobody" / "1.jpg").write_bytes(picture())
    registrar.goto("/admin/biometrics/facephoto/zip/")
    registrar.set_input_files("[data-files]", tmp_path / "people")
    sees(registrar, "1 of 3 checked: 0 usable, 0 not usable", "No student has the number or name “nobody”")
    assert {photo.student.number for photo in FacePhoto.objects.all()} == {"X1", "X2"}
    registrar.goto("/admin/biometrics/facephoto/")
    x1, x2 = (registrar.get_by_role("row").filter(has_text=number) for number in ("X1", "X2"))
    no_face = EnrolmentPhoto(verdict="rejected", reason=Message("No face."), thumbnail=picture())
    save_photo_verdict(photo=FacePhoto.objects.get(student__number="X2"), result=no_face, embedder="dlib-resnet-v1")
    expect(x2).to_contain_text("No face.")  # without a click
    expect(x2.locator("img")).to_have_count(1)
    expect(x1).to_contain_text("not checked yet", ignore_case=True)
    expect(x1.locator("img")).to_have_count(0)


def test_a_folder_that_nobody_is_called_waits_for_a_choice(registrar: Page, tmp_path: Path) -> None:
    page = registrar
    for name in ("Ann Lee", "Robert Roe"):
        factories.student(name=name)
    for folder, colour in (("people/Ann L.", "red"), ("people/Bob", "blue")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.jpg").write_bytes(picture(colour))
    page.goto("/admin/biometrics/facephoto/zip/")
    page.set_input_files("[data-files]", tmp_path / "people")
    page.get_by_role("link", name="Choose the students").click()
    sees(page, "Whose photos are these?", "people/Bob")
    usable(page)
    bob = page.get_by_role("listitem").filter(has_text="people/Bob")
    bob.get_by_label("Student").fill("Robert")
    robert = Student.objects.get(name="Robert Roe")
    bob.get_by_label("Student").fill(str(robert))
    bob.get_by_label("Student").press("Enter")  # by keyboard alone
    sees(page, "1 photo added")
    assert robert.photos.count() == 1
    expect(page.get_by_role("heading", name="people/Bob")).to_have_count(0)


def test_two_students_who_look_like_one_person_are_compared_and_merged(registrar: Page) -> None:
    page = registrar
    course = Course.objects.get()
    pair = [factories.student(name="Ann Lee") for _ in range(2)]
    for student in pair:
        factories.enrol(course, student)
        factories.photo(student, content=picture(), state="accepted", crop="crops/photos/none.jpg")
    save_look_alikes(course=course, pairs=[(pair[0].pk, pair[1].pk, 0.99)])
    page.goto("/admin/")
    page.get_by_role("link", name="Compare the photos").click()
    sees(page, "The same person?", pair[0].number, pair[1].number)
    page.get_by_text("One person", exact=True).click()
    usable(page)
    page.get_by_role("button", name=f"Keep {pair[0].number}").click()
    sees(page, "No two students look like one person")
    assert list(Student.objects.filter(name="Ann Lee")) == [pair[0]]


def test_a_source_asks_for_what_its_kind_needs(registrar: Page, tmp_path: Path) -> None:
    page, key = registrar, tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    page.goto("/admin/cctv/source/add/")
    fields = {
        name: page.locator(f"[name={name}]") for name in ("username", "password", "private_key", "host_key", "pattern")
    }

    for kind, asked in {
        "folder": {"pattern"},
        "rtsp": {"username", "password"},
        "s3": {"username", "password", "pattern"},
        "sftp": fields.keys(),
    }.items():
        page.locator("[name=kind]").select_option(kind)
        for name, field in fields.items():
            expect(field.locator("xpath=..")).to_be_visible(visible=name in asked)
    page.locator("[name=name]").fill("NVR")
    page.locator("[name=address]").fill("sftp://nvr.example.org/rec")
    fields["private_key"].set_input_files(key)
    usable(page)
    page.get_by_role("button", name="Save", exact=True).click()
    sees(page, "NVR")
    source = Source.objects.get()
    assert (source.kind, source.secret.startswith("-----BEGIN")) == ("sftp", True)
    page.goto(f"/admin/cctv/source/{source.pk}/change/")
    expect(fields["host_key"]).to_be_visible()
