"""One key for what people take for the same text."""

import unicodedata

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import IntegrityError
from hypothesis import assume, example, given
from hypothesis import strategies as st

from campus.academics.apps import update_number_keys
from campus.academics.models import Room, Student
from campus.common.keys import match_key, number_key, sort_key
from campus.common.visible_text import remove_invisible
from tests.campus import factories

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
IOTA_SUBSCRIPT = "\u0345"  # its capital is a letter of its own, which marks then follow in another order


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("B 12", " b\u00a012\u200b"),
        ("2026-0815", "\uff12\uff10\uff12\uff16\u20110815"),
        ("O'Brien", "O\u2019BRIEN"),
        ("O'Brien", "o\u00b4brien"),
        ("Müller", "MU\u0308LLER"),
        ("Weiß", "WEISS"),
        ("I\u015f\u0131k", "IŞIK"),
        ("Anna-Lena", "Anna\u00ad\u2013\ufeffLena"),
        ("S1", "\u200eS1\u200f"),
        ("Ann\tLee", "Ann  Lee"),
        ("B 12", "b \u0661\u0662"),
    ],
)
def test_same_text_has_same_key(one, other):
    assert match_key(one) == match_key(other)


@pytest.mark.parametrize(("one", "other"), [("José", "Jose"), ("B 12", "B12"), ("0815", "815")])
def test_other_text_has_another_key(one, other):
    assert match_key(one) != match_key(other)


@given(TEXTS)
@example(" \u200d\u0301x")
def test_key_of_a_key_is_itself(text):
    assert match_key(match_key(text)) == match_key(text)
    assert sort_key(sort_key(text)) == sort_key(text)


@given(TEXTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_unicode_forms_make_no_difference(text, form):
    assert match_key(unicodedata.normalize(form, text)) == match_key(text)


@given(TEXTS)
def test_capitals_make_no_difference(text):
    assume(IOTA_SUBSCRIPT not in unicodedata.normalize("NFD", text))
    assert match_key(text.upper()) == match_key(text.lower()) == match_key(text.casefold()) == match_key(text)


@given(st.text(st.characters(max_codepoint=0x7F)), st.booleans())
@example("O`Neill  B", True)
def test_a_text_of_plain_letters_has_the_key_that_it_has_beside_others(text, ignore_case):
    key = match_key(text, ignore_case=ignore_case)
    assert match_key(f"é {text} é", ignore_case=ignore_case) == " ".join(f"é {key} é".split())
    assert sort_key(f"é {text} é") == " ".join(f"e {sort_key(text)} e".split())


def test_key_of_each_character_is_stable():
    for char in map(chr, [*range(0x3400), *range(0xF900, 0x10000)]):
        key = match_key(f"a{char}b")
        variants = [f"a{char.upper()}b", f"a{char.lower()}b", key]
        variants += [f"a{unicodedata.normalize(form, char)}b" for form in ("NFD", "NFKC")]
        assert {match_key(variant) for variant in variants} == {key}, f"U+{ord(char):04X}"
        assert sort_key(sort_key(key)) == sort_key(key), f"U+{ord(char):04X}"


@pytest.mark.parametrize("written", ["m5001", "M 5001", "\u200bm50\u00a001\u200e", "M\u0665\u0660\u0660\u0661"])
def test_student_numbers_are_the_same_however_they_are_written(written):
    assert number_key(written) == number_key("M5001") == "m5001"


@given(TEXTS)
@example("R\u00b8")
def test_key_of_a_number_s_key_is_itself(text):
    assert number_key(number_key(text)) == number_key(text)


@pytest.mark.django_db
def test_an_institution_may_tell_capitals_apart_in_student_numbers(settings):
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = True
    small, capital = (Student.objects.create(number=number, name="Ann") for number in ("m5001", "M5001"))
    assert Student.objects.get(number_key=" m5001") == small
    assert Student.objects.get(number_key__in=["M\u0665001"]) == capital
    assert Student.objects.get(name_key="ANN", pk=small.pk) == small, "names are compared as before"


@pytest.mark.django_db
def test_keys_follow_the_setting_with_the_next_migration(settings):
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = True
    student = Student.objects.create(number="M5001", name="Ann")
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = False
    update_number_keys("default")
    assert Student.objects.get(number_key="m5001") == student
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = True
    update_number_keys("default")
    Student.objects.create(number="m5001", name="Bea")
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = False
    with pytest.raises(ImproperlyConfigured, match=r"M5001 and m5001|m5001 and M5001"):
        update_number_keys("default")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\u200b1001\u200e", "1001"),
        ("Ann\u00a0 Lee\ufeff", "Ann Lee"),
        ("Lee,\nAnn", "Lee, Ann"),
        ("Zoe\u0308", "Zoë"),
        ("An\u200dn", "Ann"),
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"),
        ("\u0639\u0644\u06cc\u200c", "\u0639\u0644\u06cc"),
    ],
)
def test_invisible_characters_are_not_stored(text, seen):
    assert remove_invisible(text) == seen


@given(st.text(st.characters(exclude_categories=["Cs", "Mn"])))  # a mark of its own stands on the space before it
def test_what_is_stored_has_the_same_key(text):
    assert match_key(remove_invisible(text)) == match_key(text)
    assert remove_invisible(remove_invisible(text)) == remove_invisible(text)


@pytest.mark.django_db
class TestStoredKeys:
    """The column follows its text, whichever way that is written."""

    def calendar_link_token(self, student: Student) -> str:
        return Student.objects.values_list("name_key", flat=True).get(pk=student.pk)

    def test_saving(self):
        student = Student.objects.create(number="s1", name="Ann  LEE")
        assert self.calendar_link_token(student) == "ann lee"
        student.name = "Bea"
        student.save(update_fields=["name"])
        assert self.calendar_link_token(student) == "bea"

    def test_bulk_writing(self):
        (student,) = Student.objects.bulk_create([Student(number="s1", name="Ann")])
        assert self.calendar_link_token(student) == "ann"
        student.name = "BEA"
        Student.objects.bulk_update([student], ["name"])
        assert self.calendar_link_token(student) == "bea"
        Student.objects.filter(pk=student.pk).update(name="Cid")
        assert self.calendar_link_token(student) == "cid"

    def test_saving_what_was_read_in_part(self):
        student = Student.objects.create(number="s1", name="Ann")
        part = Student.objects.defer("email").get(pk=student.pk)
        part.name = "BEA"
        part.save()
        assert self.calendar_link_token(student) == "bea"

    def test_invisible_characters_are_removed_when_a_row_is_checked(self):
        student = Student(number="\u200b1001", name="Ann\u00a0Lee", email="ann@x.org\u200e")
        student.full_clean()
        assert (student.number, student.name, student.email) == ("1001", "Ann Lee", "ann@x.org")

    def test_lookups_take_the_text_as_people_write_it(self):
        student = Student.objects.create(number="S-Ä1", name="Zoë O’Brien")  # noqa: RUF001
        for found in (
            {"number_key": " s-ä1"},
            {"number_key__in": ["S\u2010A\u03081"]},
            {"name_key__contains": "O'BRIEN"},
            {"name_key__icontains": "Zoë"},
            {"name_key__startswith": "ZOE\u0308 o"},
        ):
            assert Student.objects.get(**found) == student

    def test_a_text_with_the_key_of_another_is_refused_by_its_own_name(self):
        Room.objects.create(name="B 12")
        with pytest.raises(ValidationError) as refused:
            Room(name="b  12").full_clean()
        assert list(refused.value.message_dict) == ["name"]
        with pytest.raises(IntegrityError):
            Room.objects.create(name="b  12")


@pytest.mark.django_db
def test_a_search_finds_numbers_whatever_their_capitals(settings, client):
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = True
    for number in ("m5001", "M5001"):
        Student.objects.create(number=number, name=f"Name of {number}")
    client.force_login(factories.registrar())
    for address in ("/students/?q=M5001", "/admin/academics/student/?q=m5001"):
        page = client.get(address).content.decode()
        assert "Name of m5001" in page, address
        assert "Name of M5001" in page, address
