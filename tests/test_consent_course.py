import copy
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consent.course import EXAMPLE, CourseFile, free_texts, in_language, read_course
from consent.errors import ConsentError

GONE = object()


def changed(field, value):
    """The example with one field set, or gone."""
    content = copy.deepcopy(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    *within, last = field.split(".")
    place = content
    for name in within:
        place = place[name]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no fields by name"),
        (b"- a\n- b\n", "holds no fields by name"),
        (b"just words", "holds no fields by name"),
        (b"a: [", "not valid YAML near line 1"),
        (b"course: CS: 101", "put texts with a colon or # in quotes"),
        (b"\xff\xfe\x00", "not a text file"),
        (b"first_day: 2026-02-30", "not valid YAML"),
        (b"[" * 50_000, "not valid YAML"),
        (b"# " + b"x" * 200_000, "too large"),
        (b"course: CS 101", "institution is missing"),
    ],
)
def test_files_that_are_no_course_file(tmp_path, content, said):
    file = tmp_path / "course.yaml"
    file.write_bytes(content)
    with pytest.raises(ConsentError, match=said) as caught:
        read_course(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_no_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConsentError, match=r"No such file.*--example"):
        read_course(tmp_path / "course.yaml")
    with pytest.raises(ConsentError, match="cannot be read"):
        read_course(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("course", GONE, "course is missing"),
        ("course", 101, r"course: must be words; put them in quotes \(given: 101\)"),
        ("course", "", "course is empty"),
        ("course", " \n ", "course is empty"),
        ("institution", "Uni\u202eversity", r"institution holds the character U\+202E"),
        ("institution", "a\x07b", r"institution holds the character U\+0007"),
        ("instituton", "x", "instituton is not a field"),
        ("responsible", "Ada", "responsible: must have its own fields"),
        ("responsible.contact", GONE, "responsible.contact is missing"),
        ("responsible.contact", None, "responsible.contact: must be words"),
        ("responsible.role", {"en": ""}, "responsible.role.en is empty"),
        ("purposes.analysis", GONE, "purposes.analysis is missing"),
        ("purposes.grading", "to grade", "purposes.grading is not a field"),
        ("sharing", {}, "sharing: must be words, or words for each language"),
        ("sharing", ["a"], "sharing: must be words, or words for each language"),
        ("sharing", " ", "sharing is empty"),
        ("storage_days.recording", -1, "storage_days.recording: .*greater than or equal to 0"),
        ("storage_days.recording", 14.5, "storage_days.recording: must be a whole number of days"),
        ("storage_days.recording", "forever", "storage_days.recording: must be a whole number of days"),
        ("storage_days.recording", True, "storage_days.recording: must be a whole number of days"),
        ("first_day", 20260901, "first_day 20260901 is not a day"),
        ("first_day", "soon", "first_day: "),
        ("last_day", date(2020, 1, 1), "last_day: 2020-01-01 is before first_day"),
        ("profile", "emotional", "profile: .*'full' or 'observable'"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, field, value, said):
    file = tmp_path / "course.yaml"
    file.write_text(yaml.safe_dump(changed(field, value)), encoding="utf-8")
    with pytest.raises(ConsentError, match=said) as caught:
        read_course(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["data_protection", "authority", "purposes.showing", "purposes.research", "language"])
def test_what_may_be_left_out(field):
    CourseFile.model_validate(changed(field, GONE))


def test_words_stand_on_one_line():
    assert CourseFile.model_validate(changed("course", " CS\n  101 ")).course == "CS 101"


def test_a_sentence_given_once_is_for_every_language():
    assert in_language("sharing", CourseFile.model_validate(changed("sharing", "Nobody.")).sharing, "de") == "Nobody."


def test_a_sentence_in_another_language_only_is_refused_by_name():
    course = CourseFile.model_validate(changed("sharing", {"fr": "Personne."}))
    with pytest.raises(ConsentError, match="sharing is given in fr only; add en"):
        in_language("sharing", course.sharing, "en")


@given(st.text())
def test_any_words_are_kept_or_refused(words):
    try:
        kept = CourseFile.model_validate(changed("course", words)).course
    except ValidationError:
        return
    assert kept.strip() == kept != ""
    assert "\n" not in kept
    assert CourseFile.model_validate(changed("course", kept)).course == kept


def test_the_example_says_how_much_room_each_text_has():
    lines = EXAMPLE.read_text(encoding="utf-8")
    rooms = {room for _, _, room in free_texts(read_course(EXAMPLE))}
    assert [room for room in rooms if f"({room}" not in lines] == []


def test_every_text_of_the_example_is_found_by_name():
    fields = [field for field, _, _ in free_texts(read_course(EXAMPLE))]
    assert len(fields) == len(set(fields)) == 14
    assert {"course", "responsible.contact", "purposes.research", "withdraw"} <= set(fields)
