"""``engage consent role``, ``roles`` and ``accesses``: who may see what in the dashboard, and who looked."""

from __future__ import annotations

from typing import Annotated

import typer

from consent.policy import Role


def role(
    account: Annotated[str, typer.Argument(help="As it signs in, such as an e-mail address.")],
    role: Annotated[Role | None, typer.Option(help="What it may see; in place of the role it has.")] = None,
    course: Annotated[
        list[str] | None, typer.Option(help="Course on record it is for; may be repeated. None for an administrator.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the role away, at once.")] = False,
) -> None:
    """Say what an account may see in a dashboard that is served to others (`engage dashboard --serve`)."""
    from consent.errors import ConsentError
    from consent.registry import Registry

    if revoke == (role is not None):
        raise ConsentError(f"account {account!r}: give either --role or --revoke")
    if revoke and course:
        raise ConsentError("--revoke takes the whole role away; to leave out one course, give --role with the others")
    with Registry.open() as registry:
        if role is None:
            had = registry.roles.revoke(account)
            typer.echo(f"{account} may see nothing {'any more' if had else 'already'}.")
            return
        registry.roles.grant(account, role, course or ())
        found = registry.roles.of(account)
    assert found is not None
    typer.echo(f"{found.name} is {found.role.value} of {', '.join(found.courses) or 'all courses'}.")


def roles() -> None:
    """Show which accounts may see what in the dashboard."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from consent.registry import Registry

    with Registry.open() as registry:
        accounts = registry.roles.on_record()
    if not accounts:
        typer.echo("No account has a role; give one with: engage consent role ACCOUNT --role administrator")
        return
    table = Table("Account", "Role", "Courses", title="Roles", title_justify="left")
    for one in accounts:
        table.add_row(escape(one.name), one.role.value, escape(", ".join(one.courses)) or "all")
    Console().print(table)


def accesses(
    course: Annotated[str | None, typer.Argument(help="Only of this course; default all.")] = None,
) -> None:
    """Show who looked at a single student in the dashboard and why, and who was refused."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from consent.registry import Registry

    with Registry.open() as registry:
        name = None if course is None else registry.known_course(course)
        found = registry.accesses.on_record(name)
    if not found:
        typer.echo(f"No access is on record{f' of {name}' if name else ''}.")
        return
    table = Table(title="Accesses", title_justify="left")
    for heading in ("When (UTC)", "What", "Account", "Course", "Session", "Student", "Reason"):
        table.add_column(heading, overflow="fold")
    for one in found:
        who = "forgotten" if one.words is None else escape(one.account or "–")
        table.add_row(
            f"{one.at:%Y-%m-%d %H:%M}",
            one.kind.value,
            who,
            escape(one.course or "–"),
            escape(one.session or "–"),
            "–" if one.student is None else str(one.student),
            escape(one.words or "–"),
        )
    Console().print(table)
