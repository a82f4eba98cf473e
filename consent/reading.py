"""How hard a text is to read, as a school grade."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)")
_SILENT = re.compile(
    r"(?:(?:[^aeiouyl]|[aeiouy]l)e|(?:[^aeiouytdl]|[aeiouy]l)ed|(?:[^aeiouyscxzgl]|[aeiouy]l)es)$"
)  # made, filmed, names; not table, counted, places
_VOWELS = re.compile(r"[aeiouyäöüàáâèéêìíîòóôùúû]+")


def reading_grade(texts: Iterable[str], language: str) -> float | None:
    """The school year in which a text can be read; ``None`` where no formula is known for the language.

    English: Flesch-Kincaid grade, 0.39 words per sentence + 11.8 syllables per word − 15.59 (Kincaid et al. 1975).
    German: first Wiener Sachtextformel (Bamberger & Vanecek 1984), 0.1935 MS + 0.1672 SL + 0.1297 IW − 0.0327 ES −
    0.875, with MS, IW and ES the per cent of words of three or more syllables, of more than six letters and of one
    syllable, and SL words per sentence.

    Args:
        texts: paragraphs, list items or headings; the end of each ends a sentence.
        language: ``en`` or ``de``.

    Returns:
        The grade, or ``None`` where there is no word.
    """
    sentences = [words for text in texts for part in _SENTENCE_END.split(text) if (words := _WORD.findall(part))]
    words = [word for sentence in sentences for word in sentence]
    if not words or language not in ("en", "de"):
        return None
    per_sentence = len(words) / len(sentences)
    counts = [syllables(word, language) for word in words]
    if language == "en":
        return 0.39 * per_sentence + 11.8 * sum(counts) / len(words) - 15.59
    per_cent = 100 / len(words)
    many = per_cent * sum(count >= 3 for count in counts)
    long = per_cent * sum(len(word) > 6 for word in words)
    one = per_cent * sum(count == 1 for count in counts)
    return 0.1935 * many + 0.1672 * per_sentence + 0.1297 * long - 0.0327 * one - 0.875


def syllables(word: str, language: str) -> int:
    """Groups of vowels, at least 1; in English without a silent e at the end. An estimate: no dictionary is asked."""
    low = word.lower()
    count = len(_VOWELS.findall(low))
    if language == "en" and _SILENT.search(low):
        count -= 1
    return max(count, 1)
