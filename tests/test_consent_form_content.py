import copy
import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import consent.form_content
from consent.course import EXAMPLE, CourseFile, read_course
from consent.errors import ConsentError
from consent.form_content import form_content, form_grade, form_version
from consent.form_texts import Kind, languages, read_texts

FORMS = [(kind, language) for kind in Kind for language in languages()]
ASKING = [(kind, language) for kind, language in FORMS if kind in (Kind.STUDENT, Kind.GUARDIAN)]

NEEDED = {
    "en": {
        "no grading": "No grading",
        "no discipline": "No discipline",
        "no identification": "No identification by face",
        "no automatic decision": "No decision about you",
        "free": "free to say yes or no",
        "withdraw": "withdraw at any time",
        "no detriment": "without any detriment",
        "legal ground": "Article 6(1)(a)",
        "access": "to see",
        "copy": "copy",
        "correction, erasure, restriction": "corrected or deleted, or to limit",
        "complaint": "complain to the data protection commissioner of Example State",
        "AI": "(AI)",
        "doubt": "can be wrong",
    },
    "de": {
        "no grading": "Keine Benotung",
        "no discipline": "Keine Disziplinarmaßnahmen",
        "no identification": "Keine Identifizierung über das Gesicht",
        "no automatic decision": "Keine Entscheidung über Sie",
        "free": "entscheiden frei",
        "withdraw": "jederzeit widerrufen",
        "no detriment": "ohne jeden Nachteil",
        "legal ground": "Artikel 6 Absatz 1 Buchstabe a",
        "access": "einsehen",
        "copy": "Kopie",
        "correction, erasure, restriction": "berichtigen oder löschen lassen oder ihre Nutzung einschränken",
        "complaint": "Datenschutzbeauftragter des Landes Example",
        "AI": "(KI)",
        "doubt": "können falsch sein",
    },
}
"""What a consent has to say (GDPR, Articles 7 and 13) and what this project promises."""


def course(**changes):
    content = copy.deepcopy(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    return CourseFile.model_validate({name: value for name, value in (content | changes).items() if value is not None})


def said(facts, kind, language):
    return json.dumps(form_content(facts, kind, language), ensure_ascii=False)


def test_the_least_a_course_file_may_say_fills_every_form():
    least = course(
        data_protection=None, authority=None, purposes={"recording": "r", "analysis": "a"}, sharing="s", withdraw="w"
    )
    for kind, language in FORMS:
        content = form_content(least, kind, language)
        assert re.findall(r"\{\w+\}", json.dumps(content)) == []
        assert content["decision"] is None or len(content["decision"]["rows"]) == 2


def test_a_language_a_field_lacks_is_refused():
    with pytest.raises(ConsentError, match="withdraw is given in en only; add de"):
        form_content(course(withdraw={"en": "by letter"}), Kind.STUDENT, "de")


@pytest.mark.parametrize(("kind", "language"), ASKING)
@pytest.mark.parametrize("element", NEEDED["en"])
def test_the_consent_says_what_it_must(kind, language, element):
    words = NEEDED[language][element]
    if kind is Kind.GUARDIAN:
        words = words.replace("about you", "about your child").replace("über Sie", "über Ihr Kind")
        words = words.replace("You are free", "You and your child are free")
    assert words in said(read_course(EXAMPLE), kind, language)


@pytest.mark.parametrize(("kind", "language"), ASKING)
def test_the_consent_says_all_of_the_course_file(kind, language):
    text = said(read_course(EXAMPLE), kind, language)
    for value in (
        "CS 101",
        "Example University",
        "Prof. Ada Byron",
        "ada.byron@example.edu",
        "privacy@example.edu",
        "2026",
        "2027",
        " 14 ",
        " 90 ",
        " 365 ",
    ):
        assert value in text
    facts = read_course(EXAMPLE)
    for words in (facts.sharing, facts.without_recording, facts.withdraw, facts.responsible.role):
        assert words[language].rstrip(".") in text


@pytest.mark.parametrize(("kind", "language"), [*ASKING, (Kind.APPROVAL, "en"), (Kind.APPROVAL, "de")])
def test_each_purpose_is_ticked_apart_and_signed_with_a_date(kind, language):
    content = form_content(read_course(EXAMPLE), kind, language)
    names = [name for name, _, _ in content["decision"]["rows"]]
    assert names == [read_texts(language).purposes[name] for name in ("recording", "analysis", "showing", "research")]
    assert {"en": "counts as no", "de": "gilt als Nein"}[language] in content["decision"]["rule"]
    assert {"en": {"Date", "Signature"}, "de": {"Datum", "Unterschrift"}}[language] <= {*content["signature"]}


def test_a_purpose_left_out_is_not_asked_for():
    without = course(purposes={"recording": "r", "analysis": "a", "research": "study of sleep"})
    rows = form_content(without, Kind.STUDENT, "en")["decision"]["rows"]
    assert [name for name, _, _ in rows] == ["Recording", "Analysis", "Research"]
    assert rows[2][2] == "study of sleep."


@pytest.mark.parametrize("language", languages())
def test_the_profile_is_told_truly(language):
    guessing = {"en": "also guesses whether a person is confused or bored", "de": "Vermutet wird auch"}[language]
    none = {"en": "does not guess feelings", "de": "Gefühle werden nicht vermutet"}[language]
    for kind in (Kind.STUDENT, Kind.GUARDIAN, Kind.NOTICE, Kind.DPIA):
        assert guessing in said(course(profile="full"), kind, language)
        assert none not in said(course(profile="full"), kind, language)
        assert none in said(course(profile="observable"), kind, language)
        assert guessing not in said(course(profile="observable"), kind, language)
    for profile in ("full", "observable"):
        assert "2024/1689" in said(course(profile=profile), Kind.APPROVAL, language)


@pytest.mark.parametrize(
    ("days", "english", "german"),
    [
        (0, "deleted as soon as", "gelöscht, sobald"),
        (1, "1 day after", "1 Tag nach"),
        (2, "2 days after", "2 Tage nach"),
    ],
)
def test_durations(days, english, german):
    facts = course(storage_days={"recording": days, "annotated_video": 90, "tables": 90, "forms": days})
    assert english in said(facts, Kind.STUDENT, "en")
    assert german in said(facts, Kind.STUDENT, "de")


def test_the_impact_assessment_has_the_parts_of_article_35():
    content = form_content(read_course(EXAMPLE), Kind.DPIA, "en")
    assert [one["heading"][:2] for one in content["sections"]] == ["1.", "2.", "3.", "4."]
    assert len(content["risks"]["rows"]) >= 6
    assert content["risks"]["columns"][:2] == ["Risk", "Measures"]
    assert "Data protection officer" in content["signature"]


def test_braces_in_a_name_stay_what_they_are():
    text = said(course(course="{sharing} {x}"), Kind.STUDENT, "en")
    assert "{sharing} {x}" in text


# versions


def test_a_version_names_form_language_and_number():
    version = form_version(read_course(EXAMPLE), Kind.STUDENT, "en")
    assert version.label == f"student-en-{read_texts('en').version}"
    assert len(version.sha256) == 64
    assert version == form_version(read_course(EXAMPLE), Kind.STUDENT, "en")


def test_no_two_forms_share_a_hash():
    assert len({form_version(read_course(EXAMPLE), *form).sha256 for form in FORMS}) == len(FORMS)


@pytest.mark.parametrize(
    "change",
    [
        {"course": "CS 102"},
        {"sharing": "Everybody."},
        {"profile": "full"},
        {"last_day": "2027-02-13"},
        {"authority": None},
        {"storage_days": {"recording": 15, "annotated_video": 90, "tables": 365, "forms": 365}},
        {"purposes": {"recording": "r", "analysis": "a"}},
    ],
)
def test_the_hash_changes_with_each_word_of_the_course(change):
    before = form_version(read_course(EXAMPLE), Kind.STUDENT, "en")
    after = form_version(course(**change), Kind.STUDENT, "en")
    assert before.sha256 != after.sha256
    assert before.label == after.label


@pytest.mark.parametrize("part", ["title", "intro", "declaration"])
def test_the_hash_changes_with_each_word_of_ours(monkeypatch, part):
    before = form_version(read_course(EXAMPLE), Kind.STUDENT, "en")
    texts = read_texts("en")
    form = texts.forms[Kind.STUDENT]
    other = form.model_copy(update={part: getattr(form, part) + " Indeed."})
    changed = texts.model_copy(update={"forms": {**texts.forms, Kind.STUDENT: other}})
    monkeypatch.setattr(consent.form_content, "read_texts", lambda language: changed)
    assert form_version(read_course(EXAMPLE), Kind.STUDENT, "en").sha256 != before.sha256


@given(st.text(alphabet='abc {}\\"#', min_size=1, max_size=8), st.text(alphabet='abc {}\\"#', min_size=1, max_size=8))
def test_hashes_agree_exactly_when_words_do(one, other):
    def of(words):
        return form_version(course(sharing=words + "x"), Kind.STUDENT, "en").sha256

    same = " ".join((one + "x").split()) == " ".join((other + "x").split())
    assert (of(one) == of(other)) == same


# reading


@pytest.mark.parametrize(("kind", "language"), ASKING)
def test_what_people_sign_reads_easily(kind, language):
    grade = form_grade(read_course(EXAMPLE), kind, language)
    assert 3 < grade < 8
