import contextlib
import copy
import errno
import re
from pathlib import Path

import pymupdf
import pytest
import typst
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import consent.forms
from consent.course import EXAMPLE, CourseFile, free_texts, read_course
from consent.errors import ConsentError, OutputError
from consent.form_content import form_version
from consent.form_texts import Kind, languages
from consent.forms import PAPERS, SIZES_PT, form_pdf, write_forms

EVERY = [(kind, language, paper) for kind in Kind for language in languages() for paper in PAPERS]
SIZE_PT = {"a4": (595, 842), "letter": (612, 792)}
MARKUP = "#strong[x] $y_1$ _z_ *w* @ref <tag> `raw` \\ // /* ~ -- {course} = [b] \"q\" 'r' &amp; %"


def course(**changes):
    """The example, with fields set by dotted name (two underscores for the dot)."""
    content = copy.deepcopy(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    for name, value in changes.items():
        *within, last = name.split("__")
        place = content
        for one in within:
            place = place[one]
        place[last] = value
    return CourseFile.model_validate(content)


def page(pdf):
    (only,) = pymupdf.open(stream=pdf)
    return only


def text_of(pdf):
    """The words of a page on one line, without the marks that only allow a line to break."""
    return " ".join(page(pdf).get_text().replace("\u200b", "").split())


def packed(text):
    return re.sub(r"[\s\u200b]", "", text)


def full():
    """A course file with every text as long as the example says surely fits, and the wordier profile."""
    filler = "Words of the usual length about thermodynamics, statistics and what students do in lectures. " * 3
    texts = {field.replace(".", "__"): (filler * 2)[: room - 1] + "e" for field, _, room in free_texts(course())}
    return course(**texts, profile="full", storage_days=dict.fromkeys(course().storage_days.model_dump(), 10_000))


@pytest.mark.parametrize(("kind", "language", "paper"), EVERY)
def test_exactly_one_page_of_the_paper_asked_for(kind, language, paper):
    only = page(form_pdf(course(), kind, language, paper))
    assert only.rect.width == pytest.approx(SIZE_PT[paper][0], abs=1)
    assert only.rect.height == pytest.approx(SIZE_PT[paper][1], abs=1)


@pytest.mark.parametrize(("kind", "language", "paper"), EVERY)
def test_texts_as_long_as_promised_fit_and_stay_inside(kind, language, paper):
    only = page(form_pdf(full(), kind, language, paper))
    left, top, right, bottom = only.rect
    inside = pymupdf.Rect(left + 40, top + 30, right - 40, bottom - 15)
    spans = [s for b in only.get_text("dict")["blocks"] for line in b.get("lines", []) for s in line["spans"]]
    assert [s["text"] for s in spans if s["text"].strip() and not inside.contains(pymupdf.Rect(s["bbox"]))] == []
    sizes = sorted(s["size"] for s in spans for _ in s["text"])
    assert sizes[len(sizes) // 2] >= min(SIZES_PT) - 0.01


@pytest.mark.parametrize("kind", Kind)
def test_long_words_without_a_place_to_break_stay_inside(kind):
    facts = course(course="C" * 60, responsible__contact="a" * 70, data_protection="d" * 70, withdraw="w" * 120)
    only = page(form_pdf(facts, kind, "en"))
    assert max(word[2] for word in only.get_text("words")) <= only.rect.width - 40


@pytest.mark.parametrize(
    "field",
    [
        "course",
        "responsible__contact",
        "data_protection",
        "purposes__research",
        "sharing",
        "without_recording",
        "withdraw",
    ],
)
def test_the_field_that_is_too_long_is_named(field):
    words = "Too many words are in this one field. " * 200
    with pytest.raises(ConsentError) as caught:
        form_pdf(course(**{field: words}), Kind.STUDENT, "en")
    message = str(caught.value)
    assert message.startswith(
        f"course file: {field.replace('__', '.')} is too long for the one page of the student form"
    )
    assert f"({len(words.strip())} characters" in message
    assert "\n" not in message


@pytest.mark.parametrize("paper", ["", "A4", "a3"])
def test_another_paper_is_refused(paper):
    with pytest.raises(ConsentError, match="choose from a4, letter"):
        form_pdf(course(), Kind.STUDENT, "en", paper)


@pytest.mark.parametrize("kind", Kind)
def test_markup_in_names_is_printed_literally(kind):
    facts = course(course=MARKUP, institution="Uni #1 $ _a_ *b* @c", responsible__name="Dr. [X] <y> \\#z")
    printed = packed(text_of(form_pdf(facts, kind, "en")))
    for words in (MARKUP, "Uni #1 $ _a_ *b* @c"):
        assert packed(words) in printed


@pytest.mark.parametrize("name", ["Łódź", "Åse Müller-Ørsted", "Ανδρέας", "Юлия", "D’Angelo & Söhne", "Nguyễn"])
def test_names_in_other_letters_are_printed(name):
    assert packed(name) in packed(text_of(form_pdf(course(responsible__name=name), Kind.STUDENT, "en")))


def test_a_letter_without_a_font_is_refused_by_name(monkeypatch):
    bare = typst.Fonts(include_system_fonts=False)
    monkeypatch.setattr(consent.forms, "_fonts", lambda: bare)
    with pytest.raises(ConsentError, match=r"responsible\.name holds '漢', which no font here can print"):
        form_pdf(course(responsible__name="Ada 漢"), Kind.STUDENT, "en")


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=60), st.sampled_from(Kind))
def test_any_words_make_one_page_or_are_refused(words, kind):
    """Anything else, such as an error of Typst, fails."""
    with contextlib.suppress(ValidationError, ConsentError):
        page(form_pdf(course(course=words, sharing=words), kind, "en"))


def test_a_mark_without_a_font_is_refused_by_name(monkeypatch):
    bare = typst.Fonts(include_system_fonts=False)
    monkeypatch.setattr(consent.forms, "_fonts", lambda: bare)
    with pytest.raises(ConsentError, match=r"responsible\.name holds "):
        form_pdf(course(responsible__name="\u1b80"), Kind.STUDENT, "en")


@pytest.mark.parametrize(("kind", "language"), [(kind, language) for kind in Kind for language in languages()])
def test_the_version_and_the_whole_hash_stand_on_the_form(kind, language):
    version = form_version(course(), kind, language)
    a4, letter = (text_of(form_pdf(course(), kind, language, paper)) for paper in PAPERS)
    assert f"{version.label}, sha256 {version.sha256}" in a4
    assert f"{version.label}, sha256 {version.sha256}" in letter


def test_there_is_a_box_for_each_answer():
    drawn = page(form_pdf(course(), Kind.STUDENT, "en")).get_drawings()
    boxes = [d["rect"] for d in drawn if 8 < d["rect"].width < 14 and abs(d["rect"].width - d["rect"].height) < 1]
    assert len(boxes) == 2 * 4
    assert len({round(box.y0) for box in boxes}) == 4


def test_the_same_form_is_the_same_file():
    assert form_pdf(course(), Kind.STUDENT, "en") == form_pdf(course(), Kind.STUDENT, "en")


def test_a_screen_reader_gets_title_and_language():
    document = pymupdf.open(stream=form_pdf(course(), Kind.STUDENT, "de"))
    assert document.metadata["title"].startswith("Dürfen wir Sie")
    assert "pdfuaid" in document.get_xml_metadata()


# writing


def test_all_forms_are_written_and_nothing_else(tmp_path):
    places = write_forms(course(), tmp_path / "new" / "forms")
    assert [place.name for place in places] == [f"CS-101_{kind.value}_en_a4.pdf" for kind in Kind]
    assert sorted((tmp_path / "new" / "forms").iterdir()) == sorted(places)


@pytest.mark.parametrize(
    ("name", "slug"),
    [("CS 101", "CS-101"), ("../../etc/x", "etc-x"), ("#", "course"), ("Ü" * 60, "Ü" * 40), ("a/b:c", "a-b-c")],
)
def test_any_course_name_makes_a_safe_file_name(tmp_path, name, slug):
    (place,) = write_forms(course(course=name), tmp_path, [Kind.NOTICE])
    assert place == tmp_path / f"{slug}_notice_en_a4.pdf"


def test_nothing_is_overwritten_unless_asked(tmp_path):
    there = tmp_path / "CS-101_notice_en_a4.pdf"
    there.write_bytes(b"signed")
    with pytest.raises(ConsentError, match="is there already; add --overwrite"):
        write_forms(course(), tmp_path)
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_bytes() == b"signed"
    write_forms(course(), tmp_path, overwrite=True)
    assert there.read_bytes().startswith(b"%PDF")


def test_one_refused_form_leaves_none_behind(tmp_path):
    with pytest.raises(ConsentError, match="sharing is too long"):
        write_forms(course(sharing="word " * 700), tmp_path / "forms")
    assert not (tmp_path / "forms").exists()


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, OutputError), (errno.EACCES, ConsentError)])
def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch, number, error):
    (place,) = write_forms(course(), tmp_path, [Kind.NOTICE])
    before = place.read_bytes()

    def fail(self, target):
        raise OSError(number, "no")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(error) as caught:
        write_forms(read_course(EXAMPLE), tmp_path, [Kind.NOTICE], overwrite=True)
    assert caught.value.exit_code == (1 if error is OutputError else 2)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [before]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "forms").write_text("x")
    with pytest.raises(ConsentError, match="cannot be written"):
        write_forms(course(), tmp_path / "forms", [Kind.NOTICE])
