"""``engage consent …``: record approvals and opt-outs, and show what is on record."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consent import retention_commands, role_commands, student_commands
from consent.form_commands import form
from consent.policy import EVERY_RUN, Purpose
from consent.zone_commands import zone

if TYPE_CHECKING:
    from rich.table import Table

    from consent.registry import Registry

app = typer.Typer(name="consent", help="Approvals of faculty and opt-outs of students.", no_args_is_help=True)
app.command()(form)

Course = Annotated[str, typer.Argument(help="Name of the course; capitals and spacing do not matter.")]
Student = Annotated[str, typer.Argument(help="Pseudonym of the student (never the name), written the same each time.")]

app.command()(student_commands.decide)
app.command()(student_commands.student)
app.command()(retention_commands.retain)
app.command()(zone)
app.command()(role_commands.role)
app.command()(role_commands.roles)
app.command()(role_commands.accesses)


@app.command()
def approve(
    course: Course,
    by: Annotated[str, typer.Option("--by", help="Who approves: the faculty member responsible.")],
    valid_from: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; default today.")
    ] = None,
    valid_until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="Last day, included; default no end."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="The signed form: its name and sha256 are kept, not the file.")
    ] = None,
    purpose: Annotated[
        list[Purpose] | None, typer.Option(help="What is approved; may be repeated. Default recording and analysis.")
    ] = None,
) -> None:
    """Record that a faculty member approves the analysis of a course's lectures."""
    from consent.registry import Registry

    with Registry.open() as registry:
        approval = registry.approve(
            course,
            by,
            valid_from.date() if valid_from else date.today(),
            valid_until.date() if valid_until else None,
            evidence,
            purpose or EVERY_RUN,
        )
    until = f"until {approval.valid_until}" if approval.valid_until else "without an end"
    typer.echo(
        f"{approval.id}: {approval.approved_by} approves course {approval.course} from {approval.valid_from} {until},"
        f" for {', '.join(one.value for one in approval.purposes)}."
    )


@app.command("opt-out")
def opt_out(
    course: Course,
    student: Student,
    zone: Annotated[
        str | None,
        typer.Option(
            help="Where the student sits: x1,y1,x2,y2 or corners 'x,y x,y x,y ...' as shares (0 to 1) of the picture's"
            " width and height, from its top left. Without it, everybody is covered."
        ),
    ] = None,
    seat: Annotated[str | None, typer.Option(help="Name of the seat in the seat map, in place of a zone.")] = None,
    seat_map: Annotated[Path | None, typer.Option(help="JSON file with the polygon of each seat.")] = None,
) -> None:
    """Record that a student says no; saying it again replaces where they sit."""
    from consent.registry import Registry
    from consent.seat_map import place

    sits_in = place(zone, seat, seat_map)
    with Registry.open() as registry:
        new = registry.opt_out(course, student, sits_in)
        counted = next(one.zone for one in registry.opt_outs(course) if one.student == student.strip())
    covered = f"heads in zone {counted} are covered" if counted else "the seat is not known, so everybody is covered"
    typer.echo(f"{student} {'has opted out' if new else 'had already opted out'} of {course}: {covered}.")


@app.command("opt-in")
def opt_in(course: Course, student: Student) -> None:
    """Take a student's opt-out back."""
    from consent.registry import Registry

    with Registry.open() as registry:
        new = registry.opt_in(course, student)
        still_no = any(one.student == student.strip() for one in registry.opt_outs(course))
    typer.echo(f"The opt-out of {student} from {course} {'is' if new else 'was already'} taken back.")
    if still_no:
        typer.echo("A no to recording or analysis is among the decisions and still counts; see: engage consent list")


@app.command("list")
def list_records(
    course: Annotated[str | None, typer.Argument(help="Only this course; default all.")] = None,
) -> None:
    """Show the approvals and opt-outs on record."""
    from rich.console import Console

    from consent.registry import Registry

    console = Console()
    with Registry.open() as registry:
        courses = registry.courses() if course is None else (registry.known_course(course),)
        if not courses:
            typer.echo(
                f"Nothing is on record in {registry.location}; begin with: engage consent approve COURSE --by NAME"
            )
            return
        console.print(_approvals_table(registry, courses, date.today()))
        console.print(_opt_outs_table(registry, courses))
        if (students := student_commands.table(registry, courses)) is not None:
            console.print(students)
        if (periods := retention_commands.table(registry, courses)) is not None:
            console.print(periods)
        if (withdrawals := student_commands.withdrawals_table(registry, courses)) is not None:
            console.print(withdrawals)


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="The head noted earlier; finds that the end of the log is missing.")
    ] = None,
) -> None:
    """Check that no entry of the log and no record was altered, and print the head to note elsewhere."""
    from consent.registry import Registry

    with Registry.open() as registry:
        chain = registry.verify(head)
    typer.echo(f"The log is whole: {chain.entries} entries, head {chain.head}")


def _approvals_table(registry: Registry, courses: tuple[str, ...], today: date) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Approvals", title_justify="left")
    for heading in ("Course", "Approval", "By", "Days", "Today", "For", "Evidence"):
        table.add_column(heading, overflow="fold")
    for course in courses:
        for one in registry.approvals(course):
            evidence = f"{one.evidence_name} ({one.evidence_sha256[:12]})" if one.evidence_sha256 else "none"
            table.add_row(
                escape(course),
                one.id,
                escape(one.approved_by),
                f"{one.valid_from} to {one.valid_until}" if one.valid_until else f"from {one.valid_from}",
                "valid" if one.valid_on(today) else "not valid",
                ", ".join(purpose.value for purpose in one.purposes),
                escape(evidence),
            )
    return table


def _opt_outs_table(registry: Registry, courses: tuple[str, ...]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("Course", "Student", "Zone", title="Opt-outs", title_justify="left")
    for course in courses:
        for one in registry.opt_outs(course):
            table.add_row(escape(course), escape(one.student), str(one.zone or "not known: everybody is covered"))
    return table
