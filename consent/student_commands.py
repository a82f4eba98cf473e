"""``engage consent decide`` and ``engage consent student``, and the table of students for ``engage consent list``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consent.policy import Purpose

if TYPE_CHECKING:
    from rich.table import Table

    from consent.registry import Registry
    from consent.students import Student


class Answer(str, Enum):
    """What a student says."""

    YES = "yes"
    NO = "no"


CourseName = Annotated[str, typer.Argument(metavar="COURSE", help="Name of a course on record.")]
Pseudonym = Annotated[
    str,
    typer.Argument(metavar="STUDENT", help="Pseudonym of the student (never the name), written the same each time."),
]


def decide(
    course: CourseName,
    student: Pseudonym,
    answer: Annotated[Answer, typer.Argument(help="yes or no")],
    purpose: Annotated[list[Purpose], typer.Option(help="What the answer is about; may be repeated.")],
    form_version: Annotated[
        str | None, typer.Option(help="Hash printed on the form they saw: at least its first 8 digits.")
    ] = None,
) -> None:
    """Record a student's yes or no to one purpose or more; the newest answer to each counts."""
    from consent.registry import Registry

    with Registry.open() as registry:
        registry.students.decide(course, student, purpose, answer is Answer.YES, form_version)
        opt_out = next((one for one in registry.opt_outs(course) if one.student == student.strip()), None)
    about = " and ".join(one.value for one in Purpose if one in purpose)
    typer.echo(f"{student} says {answer.value} to {about} in {course}.")
    if opt_out is not None:
        typer.echo(
            f"Heads in zone {opt_out.zone} are covered in lectures analysed from now on."
            if opt_out.zone
            else "The seat is not known, so everybody is covered; record it with: engage consent student COURSE STUDENT"
            " --seat x1,y1,x2,y2"
        )
        if answer is Answer.YES:
            typer.echo("An opt-out, or a no to recording or analysis, is still on record: see engage consent list")


def student(
    course: CourseName,
    student: Pseudonym,
    name: Annotated[
        str | None, typer.Option(help="The name, kept encrypted with the key in ENGAGE_CONSENT_KEY; not needed.")
    ] = None,
    seat: Annotated[
        str | None,
        typer.Option(
            help="Where they sit: x1,y1,x2,y2 or corners 'x,y x,y x,y ...' as shares (0 to 1) of the picture, from its"
            " top left; with --seat-map the name of the seat."
        ),
    ] = None,
    seat_map: Annotated[Path | None, typer.Option(help="JSON file with the polygon of each seat.")] = None,
    show_name: Annotated[bool, typer.Option("--show-name", help="Print the name; needs the key.")] = False,
    forget_name: Annotated[bool, typer.Option("--forget-name", help="Remove the name from the record.")] = False,
) -> None:
    """Put a student on record, or note name or seat; without options shows the record."""
    from consent.errors import ConsentError
    from consent.registry import Registry
    from consent.seat_map import place

    if name is not None and forget_name:
        raise ConsentError("--name and --forget-name contradict each other; give one of them")
    zone = place(None, seat, seat_map)
    with Registry.open() as registry:
        students = registry.students
        if forget_name:
            students.forget_name(course, student)
        if name is not None or zone is not None or not (forget_name or show_name):
            students.enter(course, student, name, zone)
        shown = students.name(course, student) if show_name else None  # also refuses who is not on record
        record = next(one for one in students.on_record(course) if one.pseudonym == student.strip())
    typer.echo(f"{record.pseudonym}: {shown or _name(record)}; {_seat(record)}; {_decided(record)}.")


def table(registry: Registry, courses: tuple[str, ...]) -> Table | None:
    """The students of some courses, ``None`` when there are none."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("Course", "Student", "Name", "Seat", "Decisions", title="Students", title_justify="left")
    for course in courses:
        for one in registry.students.on_record(course):
            seat = str(one.seat) if one.seat else "not known"
            table.add_row(
                escape(course), escape(one.pseudonym), "encrypted" if one.named else "none", seat, _decided(one)
            )
    return table if table.row_count else None


def withdrawals_table(registry: Registry, courses: tuple[str, ...]) -> Table | None:
    """Who withdrew from some courses, ``None`` when nobody did."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("Course", "Student", "Withdrawal", "State", title="Withdrawals", title_justify="left")
    for course in courses:
        for one in registry.withdrawals.of_course(course):
            state = "done" if one.done else "not done: run engage consent withdraw again"
            table.add_row(escape(course), escape(one.student), one.id, state)
    return table if table.row_count else None


def _name(student: Student) -> str:
    return "name on record, encrypted" if student.named else "no name"


def _seat(student: Student) -> str:
    return f"sits in {student.seat}" if student.seat else "seat not known"


def _decided(student: Student) -> str:
    answers = [
        f"{one.purpose.value} {'yes' if one.granted else 'no'}"
        + (f" (form {one.form_version[:8]})" if one.form_version else "")
        for one in student.decisions
    ]
    return ", ".join(answers) or "nothing decided"
