import pytest

from consent.reading import reading_grade, syllables


@pytest.mark.parametrize("texts", [[], [""], ["1 2 3 ..."], ["?!", "–"]])
def test_no_words_have_no_grade(texts):
    assert reading_grade(texts, "en") is None


def test_a_language_without_a_formula_has_no_grade():
    assert reading_grade(["Bonjour."], "fr") is None


def test_flesch_kincaid_by_hand():
    # 6 words, 1 sentence, 6 syllables; twice the sentences halve the length
    assert reading_grade(["The cat sat on the mat."], "en") == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    assert reading_grade(["The cat sat.", "On the mat"], "en") == pytest.approx(0.39 * 3 + 11.8 - 15.59)


def test_wiener_sachtextformel_by_hand():
    # Die Katze sitzt: 3 words, 4 syllables, none long, two of one syllable
    expected = 0.1672 * 3 - 0.0327 * 100 * 2 / 3 - 0.875
    assert reading_grade(["Die Katze sitzt."], "de") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("word", "language", "count"),
    [
        ("a", "en", 1),
        ("the", "en", 1),
        ("hmm", "en", 1),
        ("made", "en", 1),
        ("table", "en", 2),
        ("filmed", "en", 1),
        ("counted", "en", 2),
        ("lectures", "en", 2),
        ("withdraw", "en", 2),
        ("recording", "en", 3),
        ("Note", "de", 2),
        ("Frau", "de", 1),
        ("Gesicht", "de", 2),
        ("Auswertung", "de", 3),
    ],
)
def test_syllables(word, language, count):
    assert syllables(word, language) == count


def test_longer_words_and_sentences_read_harder():
    easy = ["You may say no. It costs you nothing."]
    hard = ["Notwithstanding institutional considerations, participants retain unconditional revocation entitlements."]
    assert reading_grade(easy, "en") < reading_grade(hard, "en")
    assert reading_grade(["Sie dürfen Nein sagen."], "de") < reading_grade(
        ["Widerrufserklärungen bleiben unbeschadet datenschutzrechtlicher Verarbeitungsgrundlagen jederzeit möglich."],
        "de",
    )
