"""``engage consent retain``, and the table of periods for ``engage consent list``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consent.retention import MOST_DAYS, Kind

if TYPE_CHECKING:
    from rich.table import Table

    from consent.registry import Registry

_AFTER_LECTURE = "Days {} kept after the lecture; 0 is deleted at once."


def _days(what: str) -> typer.models.OptionInfo:
    return typer.Option(min=0, max=MOST_DAYS, metavar="DAYS", help=_AFTER_LECTURE.format(what))


def retain(
    course: Annotated[str, typer.Argument(metavar="COURSE", help="Name of a course on record.")],
    recording: Annotated[int | None, _days("the original video may be")] = None,
    annotated_video: Annotated[int | None, _days("the annotated video is")] = None,
    tables: Annotated[int | None, _days("tables and report are")] = None,
    forms: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_DAYS, metavar="DAYS", help="Days signed forms, and names on record, are kept after the end."
        ),
    ] = None,
    accesses: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_DAYS,
            metavar="DAYS",
            help="Days it is kept who looked at a single student in the dashboard.",
        ),
    ] = None,
    course_file: Annotated[
        Path | None,
        typer.Option(metavar="COURSE.yaml", help="Take the days from the file that fills the consent forms."),
    ] = None,
) -> None:
    """Record how long each kind of data of a course is kept; `engage purge` deletes what is older.

    A shorter period counts for all lectures, a longer one only for lectures analysed from now on.
    """
    from consent.errors import ConsentError
    from consent.registry import Registry

    given = {
        Kind.RECORDING: recording,
        Kind.ANNOTATED_VIDEO: annotated_video,
        Kind.TABLES: tables,
        Kind.FORMS: forms,
        Kind.ACCESSES: accesses,
    }
    days = {kind: count for kind, count in given.items() if count is not None}
    if course_file is not None:
        if days.keys() - {Kind.ACCESSES}:
            raise ConsentError(
                f"--course-file {course_file} and days are given; give the file alone, so that what the"
                " forms promise is kept"
            )
        days |= promised(course, course_file)
    with Registry.open() as registry:
        registry.retention.set(course, days)
        name, kept = registry.known_course(course), registry.retention.of_course(course)
    typer.echo(f"{name}: " + "; ".join(_sentence(kind, count) for kind, count in kept.items()) + ".")


def promised(course: str, course_file: Path) -> dict[Kind, int]:
    """The days that the forms printed from a course file promise.

    Raises:
        ConsentError: the file cannot be used, or is another course's.
    """
    from consent.course import read_course
    from consent.errors import ConsentError
    from consent.policy import course_key

    facts = read_course(course_file)
    if course_key(facts.course) != course_key(course):
        raise ConsentError(f"{course_file}: is of course {facts.course!r}, not {course!r}; give that course's file")
    return {Kind(name): days for name, days in facts.storage_days}


def table(registry: Registry, courses: tuple[str, ...]) -> Table | None:
    """How long data of some courses is kept, ``None`` when nothing is on record."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("Course", "Data", "Kept", title="Periods", title_justify="left")
    for course in courses:
        for kind, count in registry.retention.of_course(course).items():
            table.add_row(escape(course), kind.words, _kept(kind, count))
    return table if table.row_count else None


def _sentence(kind: Kind, count: int) -> str:
    return f"{kind.words} {_kept(kind, count)}"


def _kept(kind: Kind, count: int) -> str:
    days = f"{count} day" if count == 1 else f"{count} days"
    if kind is Kind.FORMS:
        return f"{days} after the last day of approval" if count else "until the last day of approval"
    if kind is Kind.ACCESSES:
        return f"{days} after the access" if count else "forgotten at once"
    return f"{days} after the lecture" if count else "deleted at once"
