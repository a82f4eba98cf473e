import hashlib

import pytest

from consent.errors import ConsentError
from consent.form_texts import FOLDER, Kind, fill, languages, read_texts

PUBLISHED = {
    ("de", 1): "bd9e3d8a594f9de96a51f2b4355f8253172052279112a09855a60f91b291bee1",
    ("en", 1): "75ba9101f34c26333f42efd00de13c0fd5114c8823427e09c09bb15f91a62256",
    ("de", 2): "5836fdbd453095a64d8a18592b447450aa37e14eede3fa8d57769a45bbcd4323",
    ("en", 2): "cd2e2c8917c2d3bb242507a0c50e2aca3a1d8ade90daf5fbb671cd8382c72b44",
}
"""(language, version) -> sha256 of everything that version says. Changed a word? Raise `version`, add a line here."""


def test_there_are_english_and_german():
    assert languages() == ("de", "en")


@pytest.mark.parametrize("language", ["", "fr", "../templates/course", "EN"])
def test_another_language_is_refused(language):
    with pytest.raises(ConsentError, match="choose from de, en"):
        read_texts(language)


@pytest.mark.parametrize("language", languages())
def test_words_change_only_with_a_new_version(language):
    texts = read_texts(language)
    sha256 = hashlib.sha256(texts.model_dump_json().encode()).hexdigest()
    assert PUBLISHED.get((language, texts.version)) == sha256, "the words changed: raise their version"


def shape(language):
    """How a language's forms are built, without their words."""
    return {
        kind: (
            len(form.facts),
            [(bool(one.text), len(one.points), one.blank) for one in form.sections],
            list(form.decision.ticks) if form.decision else None,
            len(form.risks.rows) if form.risks else 0,
            bool(form.declaration),
            len(form.signature),
        )
        for kind, form in read_texts(language).forms.items()
    }


def test_all_languages_say_as_much():
    for language in languages():
        assert set(read_texts(language).forms) == set(Kind)
        assert shape(language) == shape("en")
        assert read_texts(language).parts.keys() == read_texts("en").parts.keys()


def test_no_language_is_a_copy_of_another():
    lines = {language: (FOLDER / f"{language}.yaml").read_text(encoding="utf-8") for language in languages()}
    english = {line.strip() for line in lines["en"].splitlines() if len(line.strip()) > 60}
    german = {line.strip() for line in lines["de"].splitlines() if len(line.strip()) > 60}
    assert english
    assert english & german == set()


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("no names", "no names"),
        ("{a}", "{b}"),  # a value with braces is not filled again
        ("{a} {b}!", "{b} 2!"),
        (" {empty}  end ", "end"),
        ("{ a }", "{ a }"),
    ],
)
def test_filling(text, filled):
    assert fill(text, {"a": "{b}", "b": "2", "empty": ""}) == filled


def test_an_unknown_name_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        fill("{c}", {})
