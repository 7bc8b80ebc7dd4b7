"""A registrar's morning in a real browser: the roster of a class, the photos of its students, and what is still to do."""

from pathlib import Path

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver.common.by import By

from campus.academics.models import Student
from campus.biometrics.models import FacePhoto
from campus.biometrics.services import photo_checked
from recognition.types import EnrolmentPhoto
from tests.campus import factories
from tests.campus.admin_tools import picture
from tests.campus.conftest import jpeg
from tests.e2e.conftest import Browser

ROSTER = "Matrikelnummer;Vorname;Nachname;Kurs\nX1;Zoë;Åberg;CS101\nX2;Yan;Li;CS101\n"


@pytest.fixture
def registrar(browser: Browser) -> Browser:
    factories.registrar(username="registrar")
    factories.course(code="CS101")
    browser.log_in("registrar")
    return browser


def accessible(browser: Browser, part: str) -> None:
    """Ours within the theme's frame, wide and narrow, light and dark."""
    for width, scheme in ((1280, "light"), (390, "dark")):
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        found = Axe().run(browser.driver, part)["violations"]
        assert not [(part, width, one["id"], one["nodes"][0]["html"]) for one in found]
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def says(browser: Browser, text: str) -> None:
    browser.wait(lambda driver: text in driver.find_element(By.CSS_SELECTOR, "#content, main, body").text)


def look_at_all() -> None:
    """As a worker would: the first photo is good, the next ones are not."""
    for n, photo in enumerate(FacePhoto.objects.filter(state="pending").order_by("created_at")):
        good = n == 0
        result = EnrolmentPhoto(
            "accepted" if good else "rejected", "" if good else "The face is blurred (sharpness 12).", chip=jpeg() if good else None
        )
        photo_checked(photo=photo, result=result, embedder="dlib-resnet-v1")


def test_the_roster_then_the_photos_then_what_is_left(registrar: Browser, tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text(ROSTER)
    registrar.open("/admin/academics/student/import/")
    registrar.find("input[type=file]").send_keys(str(file))
    registrar.press("Look at it")
    says(registrar, "2 new")
    accessible(registrar, ".roster")
    registrar.press("Import")
    says(registrar, "2 new, 0 changed")
    student = Student.objects.get(number="X1")
    assert student.name == "Zoë Åberg"

    registrar.open(f"/admin/academics/student/{student.pk}/photos/")
    paths = []
    for colour in ("red", "blue"):
        paths.append(tmp_path / f"{colour}.jpg")
        paths[-1].write_bytes(picture(colour))
    registrar.find("[data-files]").send_keys("\n".join(map(str, paths)))
    registrar.wait(lambda _: FacePhoto.objects.count() == 2)
    look_at_all()
    says(registrar, "2 of 2 looked at, 1 not usable")
    says(registrar, "sharpness 12")
    registrar.find("[data-list] img")
    accessible(registrar, ".drop")

    registrar.open("/admin/")
    says(registrar, "2 students with fewer than 5 usable photos")
    says(registrar, "There are no lectures today")
    says(registrar, "broker")
    accessible(registrar, ".dashboard")
    registrar.press("CS101")
    says(registrar, "Zoë Åberg (X1) (1)")


def test_a_folder_of_folders_goes_to_its_students(registrar: Browser, tmp_path: Path) -> None:
    for number in ("X1", "X2"):
        factories.student(number=number)
        (tmp_path / "people" / number).mkdir(parents=True)
        (tmp_path / "people" / number / "1.jpg").write_bytes(picture())
    (tmp_path / "people" / "nobody").mkdir()
    (tmp_path / "people" / "nobody" / "1.jpg").write_bytes(picture())
    registrar.open("/admin/biometrics/facephoto/zip/")
    registrar.find("[data-files]").send_keys(str(tmp_path / "people"))
    says(registrar, "1 of 3 looked at, 1 not usable")
    says(registrar, "No student has the number or name “nobody”")
    assert {photo.student.number for photo in FacePhoto.objects.all()} == {"X1", "X2"}
