"""What a run prints at its end: what was found, and where it lies."""

from __future__ import annotations

from rich.table import Table

from pipeline.audit import read_audit
from pipeline.retention import end_dates_in_words
from pipeline.session import ENGAGEMENT, REPORT, VIDEO, AuditResult, Session


def summary_table(session: Session, *, with_end_dates: bool = True) -> Table:
    """The table of a finished session.

    Raises:
        SessionError: the session is damaged.
    """
    manifest = session.manifest
    summary = manifest.engagement
    table = Table(title=f"{manifest.source.name}: {manifest.duration:.1f} s", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("students", str(manifest.counts.students))
    nothing = "withheld, too few students were seen at once" if summary.withheld else "nobody was seen well enough"
    index = nothing if summary.mean is None else f"{summary.mean:.2f}"
    table.add_row("engagement (0 to 1)", f"{index}, {summary.coverage:.0%} of the time seen")
    counted = session.states["state"].value_counts()
    minutes = [f"{name.replace('_', ' ')} {counted[name] / 60:.1f}" for name in counted.index]
    table.add_row("student-minutes", ", ".join(minutes) or "none")
    table.add_row("unusual spans", str(manifest.counts.events))
    table.add_row("profile, blur", f"{manifest.profile.value}, {manifest.blur}")
    checked = read_audit(session)
    table.add_row("covers checked", "no" if checked is None else checked.sentence())
    if with_end_dates:
        table.add_row("kept until", end_dates_in_words(manifest))
    for warning in manifest.warnings:
        table.add_row("[yellow]warning", warning)
    for label, name in (("annotated video", VIDEO), ("report", REPORT), ("engagement table", ENGAGEMENT)):
        table.add_row(label, str(session.folder / name))
    return table


def what_to_review(session: Session) -> str | None:
    """The sentence for the user where the check found faces that had to be covered.

    Raises:
        SessionError: ``audit.json`` is damaged.
    """
    checked = read_audit(session)
    if checked is None or checked.result is not AuditResult.NEEDS_REVIEW:
        return None
    return f"{session.folder}: {checked.sentence()}; the session is kept, audit.json lists the faces"
