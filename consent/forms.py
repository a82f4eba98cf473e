"""The forms as PDF: set by Typst on exactly one page, and written without losing what is there.

Everything that varies reaches the templates as JSON and is set as text, so that nothing in a name can be read as
Typst markup. The PDFs keep to PDF/UA-1, so that a screen reader can read them; the standard also refuses a letter that
no font can print.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typst

from consent.course import CourseFile, free_texts, in_language
from consent.errors import ConsentError, OutputError
from consent.form_content import form_content, version_of
from consent.form_texts import Kind, read_texts

TEMPLATES: Final = Path(__file__).parent / "templates"
TEMPLATE: Final = {
    Kind.STUDENT: "consent.typ",
    Kind.GUARDIAN: "consent.typ",
    Kind.APPROVAL: "approval.typ",
    Kind.NOTICE: "notice.typ",
    Kind.DPIA: "dpia.typ",
}
PAPERS: Final = {"a4": "a4", "letter": "us-letter"}
"""Our name -> Typst's."""

SIZES_PT: Final = (11.0, 10.5, 10.0, 9.5, 9.0, 8.5)
"""Sizes of type, the largest that fits on one page is taken. Smaller would not be fair to read."""

_UNPRINTABLE: Final = re.compile(r'the text `"(.+?)"` could not be displayed')


def form_pdf(course: CourseFile, kind: Kind, language: str, paper: str = "a4") -> bytes:
    """A form as PDF of exactly one page.

    Raises:
        ConsentError: unknown paper or language; a field that is too long, not given in the language, or holds a
            letter that no font can print.
    """
    if paper not in PAPERS:
        raise ConsentError(f"paper {paper!r} is not known; choose from {', '.join(PAPERS)}")
    content = form_content(course, kind, language)
    version = version_of(content, kind, language)
    printed = content | {
        "paper": PAPERS[paper],
        "footer": f"{read_texts(language).words.text} {version.label}, sha256 {version.sha256}",
    }
    for size in SIZES_PT:
        pdf, pages = _compile(TEMPLATE[kind], printed | {"size": size}, course, language)
        if pages == 1:
            return pdf
    field, length, room = max(_lengths(course, language), key=lambda one: one[1] / one[2])
    raise ConsentError(
        f"course file: {field} is too long for the one page of the {kind.value} form ({length} characters, about {room}"
        " fit beside the rest); shorten it"
    )


def form_name(course: CourseFile, kind: Kind, language: str, paper: str = "a4") -> str:
    """The name of the file of a form; nothing of the course's name can leave the folder."""
    slug = re.sub(r"[^\w-]+", "-", course.course).strip("-")[:40] or "course"
    return f"{slug}_{kind.value}_{language}_{paper}.pdf"


def write_forms(
    course: CourseFile,
    out: Path,
    kinds: Sequence[Kind] = tuple(Kind),
    language: str | None = None,
    paper: str = "a4",
    overwrite: bool = False,
) -> list[Path]:
    """Write the forms of a course, one PDF each, beside their place and renamed when whole.

    All are made before the first is written, so that a refused one leaves nothing half done.

    Args:
        course: what they are filled with.
        out: the folder, made where missing.
        kinds: which forms.
        language: default the course file's.
        paper: ``a4`` or ``letter``.
        overwrite: replace forms that are there.

    Raises:
        ConsentError: as ``form_pdf``; or a form is there already; or the folder cannot be written.
        OutputError: the disk is full.
    """
    language = course.language if language is None else language
    pdfs = {out / form_name(course, kind, language, paper): form_pdf(course, kind, language, paper) for kind in kinds}
    for place in pdfs:
        if place.exists() and not overwrite:
            raise ConsentError(f"{place}: is there already; add --overwrite or choose another folder with --out")
    for place, pdf in pdfs.items():
        write_beside(place, pdf)
    return list(pdfs)


def write_beside(place: Path, content: bytes) -> None:
    """Write a file beside its place and rename it when whole.

    Raises:
        ConsentError: the place cannot be written.
        OutputError: the disk is full.
    """
    partial = place.with_name(place.name + ".partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # a link that somebody put there would be followed
        partial.write_bytes(content)
        partial.replace(place)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"{place}: the disk is full; free some space or choose another place") from error
        raise ConsentError(f"{place}: cannot be written ({error.strerror}); choose another place") from error


def _compile(template: str, content: Mapping[str, Any], course: CourseFile, language: str) -> tuple[bytes, int]:
    """The PDF and how many pages it has; a letter no font has is refused with the name of its field."""
    compiler = typst.Compiler(
        TEMPLATES / template,
        root=TEMPLATES,
        font_paths=_fonts(),
        sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
    )
    pages = json.loads(compiler.query("<pages>", field="value", one=True))
    try:
        pdf = compiler.compile(format="pdf", pdf_standards="ua-1")
    except typst.TypstError as error:
        if (found := _UNPRINTABLE.search(str(error))) is None:
            raise
    else:
        assert isinstance(pdf, bytes)  # a list for pictures only, None only with a place to write to
        return pdf, pages
    letter = re.sub(r"\\u\{(\w+)\}", lambda code: chr(int(code[1], 16)), found[1])  # marks come as \u{65e}
    texts = [(field, in_language(field, words, language)) for field, words, _ in free_texts(course)]
    field = next((field for field, words in texts if letter in words), "a field")
    raise ConsentError(
        f"course file: {field} holds {letter!r}, which no font here can print; write it in other letters or install a"
        " font that has it"
    )


@functools.cache
def _fonts() -> typst.Fonts:
    """Typst's own, and the computer's for letters they lack."""
    return typst.Fonts()


def _lengths(course: CourseFile, language: str) -> list[tuple[str, int, int]]:
    """(field, its characters, characters that surely fit) of every text in the course file."""
    return [(field, len(in_language(field, words, language)), room) for field, words, room in free_texts(course)]
