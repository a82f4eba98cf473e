import pytest
import yaml
from typer.testing import CliRunner

from consent.commands import app
from consent.course import EXAMPLE, read_course
from consent.errors import ConsentError
from consent.form_content import form_version
from consent.form_texts import Kind


@pytest.fixture
def form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, ["form", *words])


def test_the_example_can_be_written_and_used(form, tmp_path):
    result = form("--example", "course.yaml")
    assert result.exit_code == 0, result.output
    assert "engage consent form course.yaml" in result.output
    assert (tmp_path / "course.yaml").read_bytes() == EXAMPLE.read_bytes()
    result = form("course.yaml")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "forms").iterdir())) == len(Kind)


def test_an_example_never_replaces_a_course_file(form, tmp_path):
    (tmp_path / "course.yaml").write_text("mine")
    assert isinstance(form("--example", "course.yaml").exception, ConsentError)
    assert (tmp_path / "course.yaml").read_text() == "mine"
    assert form("--example", "course.yaml", "--overwrite").exit_code == 0
    assert (tmp_path / "course.yaml").read_text() != "mine"


def test_a_missing_course_file_has_its_sentence(form):
    caught = form("nowhere.yaml").exception
    assert isinstance(caught, ConsentError)
    assert caught.exit_code == 2


@pytest.mark.parametrize("words", [("--kind", "contract"), ("--paper", "a3"), ()])
def test_wrong_usage_exits_2(form, words):
    assert form(*words, *(["course.yaml"] if words else [])).exit_code == 2


def test_kinds_language_and_paper_are_as_asked(form, tmp_path):
    words = ("--kind", "student", "--kind", "notice", "--kind", "student", "--language", "de", "--paper", "letter")
    result = form(str(EXAMPLE), "--out", "out", *words)
    assert result.exit_code == 0, result.output
    names = {"CS-101_student_de_letter.pdf", "CS-101_notice_de_letter.pdf"}
    assert {place.name for place in (tmp_path / "out").iterdir()} == names


def test_version_and_reading_grade_are_printed(form):
    result = form(str(EXAMPLE), "--kind", "student")
    version = form_version(read_course(EXAMPLE), Kind.STUDENT, "en")
    assert f"{version.label}, sha256 {version.sha256[:12]}, reading grade 5." in result.output


def test_the_language_of_the_course_file_is_the_default(form, tmp_path):
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")) | {"language": "de"}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert "student-de-" in form("c.yaml", "--kind", "student").output
    assert "student-en-" in form("c.yaml", "--kind", "student", "--language", "en").output
