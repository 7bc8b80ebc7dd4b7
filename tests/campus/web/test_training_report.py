"""What a training says, as the registrar reads it: expected rates, a plot, photos to look at; and what can be done
about them."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertRedirects

from campus.academics.models import Course, Embedder, Student
from campus.biometrics.models import Embedding, FacePhoto, Gallery
from campus.biometrics.selectors import needs_training, photos_digest
from campus.biometrics.services import cohort
from campus.web.similarity_plot import draw_similarity_plot
from campus.web.training_report import error_rates
from tests.campus import factories
from tests.campus.conftest import World, jpeg

RATES = {
    "strict": {"fpir": 0.0001, "miss": 0.043, "threshold": 0.962},
    "balanced": {"fpir": 0.00098, "miss": 0.021, "threshold": 0.957},
    "lenient": {"fpir": 0.0, "miss": 0.0, "threshold": 0.951},
}
CURVES: dict[str, list[float]] = {
    "genuine": [0, 0, 3, 9],
    "impostor": [500, 90, 1, 0],
    "edges": [0.8, 0.85, 0.9, 0.95, 1.0],
}
CURVE: list[dict[str, Any]] = [
    {"photos": 1, "students": 40, "miss": 0.2804, "low": 0.167, "high": 0.417},
    {"photos": 10, "students": 3, "miss": None, "low": None, "high": None},
]


@pytest.fixture
def registrar(client: Client, world: World) -> Client:
    client.force_login(world.registrar)
    return client


def with_face(student: Student) -> FacePhoto:
    return factories.photo(student, crop=default_storage.save("crops/photos/a.jpg", ContentFile(jpeg())), quality=0.9)


@pytest.fixture
def report(world: World) -> Gallery:
    """Of the class's students one has a photo that looks like the other."""
    ann, bob = world.course.students.order_by("pk")
    wrong, _, _ = with_face(ann), with_face(ann), with_face(bob)
    without = factories.student(name="Zed")
    factories.enrol(world.course, without)
    world.gallery.report = {
        "rates": RATES,
        "curves": CURVES,
        "too_alike": [[str(ann.pk), str(bob.pk), 0.9612]],
        "suspect_photos": {
            str(ann.pk): [
                {
                    "photo": str(wrong.pk),
                    "similarity": 0.8912,
                    "nearest": str(bob.pk),
                    "nearest_similarity": 0.9345,
                    "by_network": {"facenet-20180408": [0.611, 0.4021]},
                }
            ]
        },
        "learning_curve_by_network": {"facenet-20180408": {"balanced": [CURVE[0] | {"miss": 0.412}, CURVE[1]]}},
        "learning_curve": {"balanced": CURVE, "strict": []},
        "few_photos": [str(bob.pk)],
        "without_photos": [str(without.pk)],
    }
    world.gallery.save()
    return world.gallery


def page(client: Client, gallery: Gallery) -> str:
    response = client.get(reverse("admin:biometrics_gallery_change", args=[gallery.pk]))
    assert response.status_code == 200
    return response.content.decode()


def test_rates_are_said_in_words(report: Gallery) -> None:
    assert [(rate.label, rate.strangers, rate.missed) for rate in error_rates(report)] == [
        (
            "Strict",
            "about 1 stranger in 10,000 accepted as a student",
            "about 4.30 % of a student's appearances missed",
        ),
        (
            "Balanced",
            "about 1 stranger in 1,000 accepted as a student",
            "about 2.10 % of a student's appearances missed",
        ),
        ("Lenient", "no stranger accepted in the test", "no student missed in the test"),
    ]
    report.report["rates"]["lenient"]["miss"] = None
    assert error_rates(report)[-1].missed == "too few photos to say how many are missed"
    assert error_rates(None) == error_rates(Gallery()) == []


def test_the_report_shows_what_to_look_at(registrar: Client, report: Gallery, world: World) -> None:
    text = page(registrar, report)
    ann, bob = world.course.students.exclude(name="Zed").order_by("pk")
    wrong = report.report["suspect_photos"][str(ann.pk)][0]["photo"]
    for part in (
        "about 1 stranger in 1,000 accepted as a student",
        "Balanced (in use)",
        '<svg class="plot"',
        "similarity 0.961",
        "similarity 0.891",
        "similarity 0.935",
        "28.0 % (95 %: 16.7 to 41.7 %)",
        f"FaceNet alone: 0.611 to {ann.name}, 0.402 to {bob.name}",
        "FaceNet alone: 41.2 %",
        "too few to say: 3 students have 13 photos or more",
        reverse("admin:biometrics_facephoto_thumbnail", args=[wrong]),
        reverse("admin:biometrics_facephoto_delete", args=[wrong]),
        f"Move to {bob.name}",
        "No usable photo",
        "Zed",
    ):
        assert part in text, part


def test_what_is_gone_since_is_left_out(registrar: Client, report: Gallery) -> None:
    FacePhoto.objects.all().delete()
    Student.objects.filter(name="Zed").delete()
    text = page(registrar, report)
    assert "mislabelled" not in text
    assert "Zed" not in text


@pytest.mark.parametrize("empty", [{}, {"rates": RATES}, {"curves": {"genuine": [], "impostor": [], "edges": []}}])
def test_a_gallery_that_measured_less_has_a_page(registrar: Client, world: World, empty: dict[str, Any]) -> None:
    Gallery.objects.filter(pk=world.gallery.pk).update(report=empty)
    assert '<svg class="plot"' not in page(registrar, world.gallery)
    assert registrar.get(reverse("admin:academics_course_change", args=[world.course.pk])).status_code == 200


def test_a_large_report_needs_few_queries(
    registrar: Client, report: Gallery, world: World, django_assert_max_num_queries: Any
) -> None:
    pairs = []
    for _ in range(30):
        a, b = factories.student(), factories.student()
        with_face(a), with_face(b)
        pairs.append([str(a.pk), str(b.pk), 0.96])
        report.report["few_photos"].append(str(a.pk))
    report.report["too_alike"] = pairs
    report.save()
    with django_assert_max_num_queries(20):
        page(registrar, report)


def test_the_plot_names_what_it_shows() -> None:
    plot = draw_similarity_plot(CURVES, [("Balanced", 0.957), ("<b>", 0.962)])
    assert "Balanced 0.957" in plot
    assert "&lt;b&gt;" in plot
    assert all(name in plot for name in ("The same person", "Different people", "0.90"))
    assert draw_similarity_plot({}, []) == ""


def test_a_photo_is_moved_to_whom_it_shows(registrar: Client, report: Gallery, world: World) -> None:
    ann, bob = world.course.students.exclude(name="Zed").order_by("pk")
    photo = FacePhoto.objects.get(pk=report.report["suspect_photos"][str(ann.pk)][0]["photo"])
    Gallery.objects.update(created_at=photo.created_at)
    FacePhoto.objects.exclude(pk=photo.pk).update(created_at=photo.created_at)
    assert not needs_training(world.course)
    address = reverse("admin:biometrics_facephoto_move", args=[photo.pk])
    assert f'value="{bob.number}"' in registrar.get(f"{address}?to={bob.pk}").content.decode()
    assert "no student with this number" in registrar.post(address, {"student": "nobody"}).content.decode()
    assert registrar.post(address, {"student": bob.number}).status_code == 302
    photo.refresh_from_db()
    assert photo.student == bob
    assert needs_training(world.course)
    twin = factories.photo(ann, content=photo.file.read())
    refused = registrar.post(reverse("admin:biometrics_facephoto_move", args=[twin.pk]), {"student": bob.number})
    assert "has this photo already" in refused.content.decode()


def test_a_photo_that_is_right_although_it_looks_wrong_is_kept_until_that_is_taken_back(
    registrar: Client, report: Gallery, world: World
) -> None:
    [[suspect]] = report.report["suspect_photos"].values()
    photo = FacePhoto.objects.get(pk=suspect["photo"])
    Gallery.objects.update(photos_digest=photos_digest(world.course))
    assert not needs_training(world.course)
    address = reverse("admin:biometrics_gallery_photo", args=[report.pk, photo.pk])
    assert f"It shows {photo.student.name}" in page(registrar, report)
    assert registrar.get(address).status_code == 405
    for _ in range(2):
        back = reverse("admin:biometrics_gallery_change", args=[report.pk])
        assertRedirects(registrar.post(address), back, fetch_redirect_response=False)
    photo.refresh_from_db()
    assert photo.confirmed_at is not None
    assert photo.confirmed_by == world.registrar.get_username()
    assert needs_training(world.course)
    text = page(registrar, report)
    assert "mislabelled" not in text
    assert "Confirmed photos" in text
    registrar.post(address, {"undo": "1"})
    photo.refresh_from_db()
    assert (photo.confirmed_at, photo.confirmed_by) == (None, "")
    assert not needs_training(world.course)
    assert "mislabelled" in page(registrar, report)


def test_only_a_registrar_confirms_photos(client: Client, world: World) -> None:
    client.force_login(world.own)
    client.post(reverse("admin:biometrics_gallery_photo", args=[world.gallery.pk, world.photo.pk]))
    world.photo.refresh_from_db()
    assert world.photo.confirmed_at is None


def test_nobody_else_moves_photos(client: Client, world: World) -> None:
    client.force_login(world.own)
    assert (
        client.post(reverse("admin:biometrics_facephoto_move", args=[world.photo.pk]), {"student": "1"}).status_code
        == 302
    )
    world.photo.refresh_from_db()
    assert world.photo.student == world.student


def test_the_class_page_sets_strictness_and_face_model(registrar: Client, report: Gallery, world: World) -> None:
    address = reverse("admin:academics_course_change", args=[world.course.pk])
    text = registrar.get(address).content.decode()
    assert "about 2.10 % of a student&#x27;s appearances missed" in text
    assert "Strict lets fewer strangers pass" in text
    form = {"code": "CS101", "name": "Computing", "present_seconds": 2, "late_minutes": 10, "early_minutes": 10}
    form |= {
        f"{name}-{key}": 0
        for name in ("enrolments", "galleries", "register_policy")
        for key in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    response = registrar.post(address, form | {"strictness": "strict", "embedder": "facenet-20180402"})
    assert response.status_code == 302, response.context["errors"]
    course = Course.objects.get(pk=world.course.pk)
    assert (course.strictness, course.embedder) == ("strict", "facenet-20180402")
    assert course.galleries.get(state="queued").embedder == "facenet-20180402"
    assert course.galleries.get(active=True) == report


def test_the_face_models_on_offer_are_there() -> None:
    from recognition.embedding import EMBEDDERS

    assert set(Embedder.values) == set(EMBEDDERS)


def test_the_cohort_are_students_of_other_classes_with_the_same_embedder(world: World) -> None:
    import numpy as np

    elsewhere = factories.course(students=1)
    other, both, nowhere = elsewhere.students.get(), factories.student(), factories.student()
    factories.enrol(elsewhere, both)
    factories.enrol(world.course, both)
    vector = np.eye(1, 4, dtype="<f4")[0]
    for student, embedder, state in [
        (other, "a", "accepted"),
        (other, "a", "warning"),
        (other, "b", "accepted"),
        (other, "a", "rejected"),
        (both, "a", "accepted"),
        (nowhere, "a", "accepted"),
        (world.student, "a", "accepted"),
    ]:
        Embedding.objects.create(
            photo=factories.photo(student, state=state), embedder=embedder, vector=vector.tobytes()
        )
    found = cohort(world.course, "a")
    assert found is not None
    assert found.shape == (1, 4)
    assert found.dtype == np.float32
    assert cohort(world.course, "c") is None
