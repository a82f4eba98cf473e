"""``engage consent form``: the printed forms of a course, and an example of the file that fills them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from consent.form_texts import Kind


class Paper(str, Enum):
    """Sizes of paper."""

    A4 = "a4"
    LETTER = "letter"


def form(
    course: Annotated[Path, typer.Argument(metavar="COURSE.yaml", help="The course file that fills the forms.")],
    out: Annotated[Path, typer.Option(help="Folder for the PDFs.")] = Path("forms"),
    kind: Annotated[list[Kind] | None, typer.Option(help="Which form; may be repeated; default all.")] = None,
    language: Annotated[str | None, typer.Option(help="en or de; default the course file's.")] = None,
    paper: Annotated[Paper, typer.Option(help="Size of the page.")] = Paper.A4,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Write a commented example to COURSE.yaml instead, to be changed.")
    ] = False,
) -> None:
    """Write the one-page forms of a course as PDF: student, guardian, approval, room notice, impact assessment."""
    if example:
        _write_example(course, overwrite)
        return
    from consent.course import read_course
    from consent.form_content import form_grade, form_version
    from consent.forms import write_forms

    facts = read_course(course)
    spoken = facts.language if language is None else language
    kinds = tuple(dict.fromkeys(kind)) if kind else tuple(Kind)
    for place, one in zip(write_forms(facts, out, kinds, spoken, paper.value, overwrite), kinds, strict=True):
        version = form_version(facts, one, spoken)
        grade = form_grade(facts, one, spoken)
        reading = "" if grade is None else f", reading grade {grade:.1f}"
        typer.echo(f"{place}: {version.label}, sha256 {version.sha256[:12]}{reading}")


def _write_example(place: Path, overwrite: bool) -> None:
    from consent.course import EXAMPLE
    from consent.errors import ConsentError
    from consent.forms import write_beside

    if place.exists() and not overwrite:
        raise ConsentError(f"{place}: is there already; choose another name, or add --overwrite")
    write_beside(place, EXAMPLE.read_bytes())
    typer.echo(f"{place}: change what it says, then print the forms with: engage consent form {place}")
