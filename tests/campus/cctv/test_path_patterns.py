"""Cameras, rooms and times read from paths as recorders write them."""

import unicodedata
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from campus.cctv.path_patterns import PathFields, compile_pattern
from campus.common.errors import UserError

BERLIN = ZoneInfo("Europe/Berlin")
USUAL = "{camera}/{date:%Y%m%d}/{start:%H%M%S}-{end:%H%M%S}.mp4"
LAYOUTS = [
    USUAL,
    "{room}/{date:%Y-%m-%d}/{camera}_{start:%H.%M.%S}-{end:%H.%M.%S}.mkv",
    "{date:%Y-%m-%d}/{start:%H}/{camera}/{start:%M.%S}.mp4",
    "rec/{start:%Y/%m/%d}/{camera}/{camera}_{start:%Y%m%dT%I%M%S%p}_{end:%Y%m%dT%H%M%S}.ts",
    "{camera}_{start:%s}_{end:%s}.mp4",
    "archive/{camera}/{start:%y%m%d%H%M%S%f}.avi",
]


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("pattern", "path", "label", "starts", "ends"),
    [
        (USUAL, "A/20261123/101500-103000.mp4", "A", "2026-11-23T10:15:00", "2026-11-23T10:30:00"),
        (USUAL, "A/20261123/101500-103000.MP4", "A", "2026-11-23T10:15:00", "2026-11-23T10:30:00"),
        (
            "{date:%Y-%m-%d}/{camera}/dav/*/{start:%H.%M.%S}-{end:%H.%M.%S}[M][0@0][0].dav",
            "2026-11-23/001/dav/12/12.00.00-12.15.00[M][0@0][0].dav",
            "001",
            "2026-11-23T12:00:00",
            "2026-11-23T12:15:00",
        ),
        (
            "{camera}_{start:%Y%m%d%H%M%S}.mp4",
            "hall_a_100000_20261123080000.mp4",
            "hall_a_100000",
            "2026-11-23T08:00:00",
            None,
        ),
        (
            "{room}/{camera}/{start:%Y%m%dT%H}.mp4",
            "B 12/front/20261123T08.mp4",
            "B 12/front",
            "2026-11-23T08:00:00",
            None,
        ),
        ("/videos/{camera}/{start:%s}.mp4/", "videos/x/1795425600123.mp4", "x", "2026-11-23T10:20:00.123", None),
        ("{start:%Y%m%d_%I%M%p}.mp4", "20261123_1205am.mp4", "", "2026-11-23T00:05:00", None),
        ("{camera}/{camera}-{start:%Y%m%d%H}.mp4", "c-1/c-1-2026112310.mp4", "c-1", "2026-11-23T10:00:00", None),
        (
            "{camera} {date:%m-%d-%Y}, {start:%I.%M.%S%p}.mp4",
            "door 2-9-2020, 9.21.12pm.mp4",
            "door",
            "2020-02-09T21:21:12",
            None,
        ),
        (
            "{camera} {date:%d.%m.%Y} {start:%H.%M.%S}.mp4",
            "door 9.2.2020 7.05.00.mp4",
            "door",
            "2020-02-09T07:05:00",
            None,
        ),
        (
            "Recording {date:%Y-%m-%d} at {start:%I.%M.%S %p}.mov",
            "Recording 2026-11-23 at 9.21.12\u202fPM.mov",  # as macOS writes it
            "",
            "2026-11-23T21:21:12",
            None,
        ),
        ("{date:%m-%d-%Y}, {start:%I.%M %p}.mp4", "12-31-2020, 12.05 a.m..mp4", "", "2020-12-31T00:05:00", None),
        # Across midnight, and across the hours in which the clocks change.
        (USUAL, "A/20261123/235000-000500.mp4", "A", "2026-11-23T23:50:00", "2026-11-24T00:05:00"),
        (USUAL, "A/20260329/015000-030500.mp4", "A", "2026-03-29T01:50:00", "2026-03-29T03:05:00"),
        (USUAL, "A/20261025/015000-020500.mp4", "A", "2026-10-25T01:50:00", "2026-10-25T02:05:00"),
    ],
)
def test_a_path_is_read(pattern, path, label, starts, ends):
    fields = compile_pattern(pattern).match(path, BERLIN)
    assert fields is not None
    assert (fields.label, fields.starts, fields.ends) == (label, berlin(starts), ends and berlin(ends))


@pytest.mark.parametrize("name", ["1112020", "1-112020", "11-1-2020"])
def test_numbers_without_a_character_between_them_keep_their_zeros(name):
    assert compile_pattern("{date:%m%d%Y}/{start:%H%M%S}.mp4").match(f"{name}/101500.mp4", BERLIN) is None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_word_in_other_bytes_is_the_same_word(form):
    path = unicodedata.normalize(form, "Hörsäle/Hörsaal 1/20261123/101500-103000.mp4")
    pattern = compile_pattern(unicodedata.normalize("NFD", f"Hörsäle/{USUAL}"))
    fields = pattern.match(path, BERLIN)
    assert fields is not None
    assert fields.label == "Hörsaal 1"
    assert pattern.may_contain(path.rsplit("/", 2)[0], date(2026, 11, 23), date(2026, 11, 23))


def test_a_file_across_the_repeated_hour_keeps_its_length():
    fields = compile_pattern(USUAL).match("A/20261025/025000-020500.mp4", BERLIN)
    assert fields is not None
    assert fields.starts == datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    assert fields.ends == datetime(2026, 10, 25, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (USUAL, "A/20261123/101500.mp4"),
        (USUAL, "x/A/20261123/101500-103000.mp4"),
        (USUAL, "A/20261131/101500-103000.mp4"),
        (USUAL, "A/20261123/251500-263000.mp4"),
        (USUAL, "/20261123/101500-103000.mp4"),
        (USUAL, "A/20261123/101500-103000.mp4\n"),
        (USUAL, "A/٢٠٢٦١١٢٣/101500-103000.mp4"),
        (USUAL, ""),
        ("{camera}/{camera}-{start:%Y%m%d%H}.mp4", "c-1/c-2-2026112310.mp4"),
        ("{start:%Y%m%d%H}-{end:%Y%m%d%H}.mp4", "2026112310-2026112309.mp4"),
        ("{camera}/{start:%Y%m%d%H}.mp4", "a" * 1000 + "/2026112310.mp4"),
    ],
)
def test_a_path_that_does_not_fit_is_not_read(pattern, path):
    assert compile_pattern(pattern).match(path, BERLIN) is None


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{cam}/{date}/{start}.mp4", "{cam}"),
        ("{camera", "no partner"),
        ("camera}", "no partner"),
        ("{camera:%Y}", "{camera:%Y}"),
        ("{camera}{room}", "Put something between"),
        ("**/{camera}", "Put something between"),
        ("{date}.mp4", "incomplete"),
        ("{start}.mp4", "incomplete"),
        ("{date}{start}-{end:%M}.mp4", "incomplete"),
        ("{end:%Y%m%d%H}.mp4", "when it starts"),
        ("{date:%Q}", "%Q"),
        ("{date:%Y*%m%d}{start}", "can't contain *"),
    ],
)
def test_a_wrong_pattern_is_explained(pattern, says):
    with pytest.raises(UserError) as refusal:
        compile_pattern(pattern)
    assert says in str(refusal.value)


def test_an_empty_pattern_fits_every_path():
    nothing = compile_pattern("")
    assert nothing.match("some/where/lecture.mp4", BERLIN) == PathFields()
    assert nothing.may_contain("some/where", date(2026, 1, 1), date(2026, 1, 1))


words = st.from_regex(r"[A-Za-z][A-Za-z0-9 -]{0,10}", fullmatch=True)
moments = st.integers(1_000_000_000, 3_100_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def is_unambiguous(moment: datetime) -> bool:
    """Whether the local time in Berlin occurs only once."""
    wall = moment.astimezone(BERLIN)
    return wall.replace(fold=0).utcoffset() == wall.replace(fold=1).utcoffset()


@given(pattern=st.sampled_from(LAYOUTS), camera=words, room=words, starts=moments, minutes=st.integers(1, 600))
def test_a_formatted_path_is_read_back(pattern, camera, room, starts, minutes):
    ends = starts + timedelta(minutes=minutes)
    assume(is_unambiguous(starts) and is_unambiguous(ends))
    read = compile_pattern(pattern)
    said = PathFields(
        camera=camera,
        room=room if "{room}" in pattern else "",
        starts=starts,
        ends=ends if "{end" in pattern else None,
    )
    path = read.format_path(said, BERLIN)
    assert read.match(path, BERLIN) == said
    day = starts.astimezone(BERLIN).date()
    folders = path.split("/")[:-1]
    for depth in range(len(folders) + 1):
        assert read.may_contain("/".join(folders[:depth]), day, day)
    assert not read.may_contain(path, day, day)


@pytest.mark.parametrize(
    ("folder", "held"),
    [
        ("", True),
        ("rec", True),
        ("other", False),
        ("rec/2026", True),
        ("rec/2025", False),
        ("rec/2026/11", True),
        ("rec/2026/10", False),
        ("rec/2026/11/23", True),
        ("rec/2026/11/22", False),
        ("rec/2026/11/23/hall", True),
        ("rec/2026/11/23/hall/more", False),
        ("rec/2026/02/30", False),
        ("..", False),
        ("rec/../../etc", False),
    ],
)
def test_only_folders_of_the_day_may_contain_files(folder, held):
    layout = compile_pattern("rec/{start:%Y/%m/%d}/{camera}/{start:%H%M%S}.mp4")
    assert layout.may_contain(folder, date(2026, 11, 23), date(2026, 11, 23)) is held


def test_a_hostile_name_is_matched_in_linear_time():
    assert compile_pattern("*a" * 60 + "b").match("a" * 1000, BERLIN) is None
