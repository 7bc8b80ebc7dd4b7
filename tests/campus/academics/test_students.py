"""Students: how they are sorted, and where their surname comes from."""

import pytest

from campus.academics.models import Student
from campus.academics.roster_columns import guess_columns, select_fields
from campus.academics.roster_files import read_table
from campus.academics.roster_import import import_roster
from tests.campus import factories


def names() -> list[str]:
    return list(Student.objects.values_list("name", flat=True))


@pytest.mark.django_db
def test_names_sort_by_surname() -> None:
    for name in ("Ann Young", "Zoë Ärmel", "Lee, Bob", "Madonna", "Chris de Boer", "Anna BAKER"):
        factories.student(name=name)
    factories.student(name="Ana García López", surname="García López")
    assert names() == [
        "Zoë Ärmel",
        "Anna BAKER",
        "Chris de Boer",
        "Ana García López",
        "Lee, Bob",
        "Madonna",
        "Ann Young",
    ]


@pytest.mark.django_db
def test_a_surname_that_is_no_longer_in_the_name_does_not_count() -> None:
    factories.student(name="Mia Klein")
    married = factories.student(name="Ann Abel", surname="Abel")
    married.name = "Ann Young"
    married.save(update_fields=["name"])
    assert names() == ["Mia Klein", "Ann Young"]


@pytest.mark.parametrize(
    "header", ["number;first name;last name", "Matrikelnummer;Vorname;Name", "Matricule;Prénom;Nom de famille"]
)
@pytest.mark.django_db
def test_surname_is_taken_from_its_column(header: str) -> None:
    table = read_table(f"{header}\n1;Ana;García López\n".encode())
    columns = guess_columns(table.headers)
    assert select_fields(table.rows[0], columns)["name"] == "Ana García López"
    import_roster(table=table, columns=columns)
    student = Student.objects.get()
    assert (student.name, student.surname) == ("Ana García López", "García López")
