"""The report: one page an instructor reads in two minutes, written as PDF from ``templates/report.typ``.

Everything that varies reaches the template as JSON and is set as text, so that no name of a lecture or course
can be read as Typst markup. Students stand in it by number only, in the order of their numbers.
"""

from __future__ import annotations

import contextlib
import errno
import json
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Final

import pandas as pd
import typst

from models.states import INFERRED_EMOTION, PALETTE, State
from pipeline.session import Manifest, Session
from reports.errors import OutputError, ReportError
from reports.figures import FONT_FOLDER, bin_seconds, engagement_svg, shares_svg
from reports.formula import (
    SHARE_PREFIX,
    STUDENT,
    WEIGHTS_KEY,
    StateWeights,
    engagement_table,
    session_shares,
    summary,
)

TEMPLATE: Final = Path(__file__).parent / "templates" / "report.typ"

PAPERS: Final = {"a4": ("a4", 178.0, 45.0), "letter": ("us-letter", 183.9, 37.0)}
"""Name -> Typst's name, width of the text (mm), height of one figure (mm)."""

MOST_STUDENT_ROWS: Final = 12
"""A longer table would not fit on the page: then the spread over students stands in its place."""

SHORT_CLIP_SECONDS: Final = 180.0
"""Below this, times are given in seconds: minutes would read 0.1, 0.2."""

SPREAD: Final = {"10th percentile": 0.1, "median": 0.5, "90th percentile": 0.9}
MOST_MODELS: Final = 5
LONGEST_WORD: Final = 20


def write_report(session: Session, out: Path | None = None, paper: str = "a4") -> Path:
    """Write the one-page report of ``session``.

    Args:
        session: a finished session.
        out: the PDF; default ``report.pdf`` in the session folder. Written beside and renamed when whole.
        paper: ``a4`` or ``letter``.

    Returns:
        Where the PDF is.

    Raises:
        ReportError: unknown paper, or the place can not be written.
        OutputError: the disk is full.
        FormulaError: the session's weights or states table can not be used.
        SessionError: a table of the session is missing or damaged.
    """
    if paper not in PAPERS:
        raise ReportError(f"paper {paper!r} is not known; choose from {', '.join(PAPERS)}")
    out = session.report if out is None else out
    content = json.dumps(report_content(session, paper), ensure_ascii=False, allow_nan=False)
    pdf = typst.compile(
        TEMPLATE,
        format="pdf",
        root=TEMPLATE.parent,
        font_paths=[FONT_FOLDER],
        sys_inputs={"content": content},
    )
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(pdf)
        partial.replace(out)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"{out}: the disk is full; free some space or choose another --out") from error
        raise ReportError(f"{out}: can not be written ({error.strerror}); choose another --out") from error
    return out


def report_content(session: Session, paper: str = "a4") -> dict[str, Any]:
    """Everything the template shows, ready for JSON: words, formatted numbers, colours, figures as SVG.

    Raises:
        FormulaError, SessionError: as ``write_report``.
    """
    manifest = session.manifest
    weights = StateWeights.model_validate(manifest.config.get(WEIGHTS_KEY) or {})
    table = engagement_table(session.states, manifest.profile, weights)
    students = table[table["scope"] == STUDENT]
    mean, coverage = summary(table)
    events = manifest.counts.events
    paper_name, width, height = PAPERS[paper]
    return {
        "paper": paper_name,
        "title": _words(PurePath(manifest.source.name).stem, 90),
        "subtitle": [_words(manifest.course, 60)] * bool(manifest.course)
        + [f"analysed on {_day(manifest.created)}", f"profile: {manifest.profile.value}"],
        "figures": [
            [str(len(students)), "student" if len(students) == 1 else "students"],
            [_duration(manifest.duration), "duration"],
            ["–" if mean is None else f"{mean:.2f}", "mean engagement, 0 to 1"],
            [f"{coverage:.0%}", "coverage: student time seen"],
            [str(events), "unusual span to look at" if events == 1 else "unusual spans to look at"],
        ],
        "bin": _duration(bin_seconds(table)),
        "engagement_svg": engagement_svg(table, width, height),
        "shares_svg": shares_svg(table, manifest.profile, width, height),
        "times": _times(students, manifest),
        "index": _index_rows(table, manifest, weights),
        "mean": None if mean is None else f"{mean:.3f}",
        "inferred": [state.label for state in manifest.profile.states if state in INFERRED_EMOTION],
        "inferring": [state.label for state in State if state in INFERRED_EMOTION],
        "made": _provenance(manifest),
    }


def _times(students: pd.DataFrame, manifest: Manifest) -> dict[str, Any]:
    """Time per state: one row per student where few, else the spread over students with one row per state."""
    unit, per_minute, digits = ("seconds", 60, 0) if manifest.duration < SHORT_CLIP_SECONDS else ("minutes", 1, 1)
    seen = students["minutes_seen"].to_numpy(float) * per_minute
    times = pd.DataFrame({"seen": seen})
    for state in manifest.profile.states:
        times[state.label] = students[SHARE_PREFIX + state.value].fillna(0).to_numpy(float) * seen
    if len(students) <= MOST_STUDENT_ROWS:
        head = ["student", *times.columns]
        rows = [
            [str(number), *(f"{value:.{digits}f}" for value in row)]
            for number, row in zip(students["student"], times.itertuples(index=False), strict=True)
        ]
    else:
        head = ["", *SPREAD]
        spread = times.quantile(list(SPREAD.values())).T
        rows = [
            [name, *(f"{value:.{digits}f}" for value in row)]
            for name, row in zip(spread.index, spread.to_numpy(), strict=True)
        ]
    return {"unit": unit, "each": len(students) <= MOST_STUDENT_ROWS, "head": head, "rows": rows}


def _index_rows(table: pd.DataFrame, manifest: Manifest, weights: StateWeights) -> list[dict[str, str]]:
    """Weight, share of the seen time and their product for each state, the highest weight first."""
    shares = session_shares(table)
    rows = []
    for state in sorted(manifest.profile.states, key=lambda state: -weights[state]):
        share = shares.get(state)
        rows.append(
            {
                "state": state.label,
                "colour": PALETTE[state],
                "weight": f"{weights[state]:.2f}",
                "share": "–" if share is None else f"{share:.1%}",
                "product": "–" if share is None else f"{share * weights[state]:.3f}",
            }
        )
    return rows


def _provenance(manifest: Manifest) -> list[list[str]]:
    models = [f"{_words(name, 28)} ({sha256[:8]})" for name, sha256 in [*manifest.models.items()][:MOST_MODELS]]
    if len(manifest.models) > MOST_MODELS:
        models.append(f"and {len(manifest.models) - MOST_MODELS} more in session.json")
    rows = [
        ["recording", f"{_words(manifest.source.name, 48)} ({manifest.source.sha256[:8]})"],
        ["approval", _words(manifest.approval, 110)],
        ["heads covered in the video", f"{_words(manifest.blur, 40)}; check for faces: {_checked(manifest)}"],
        ["models", ", ".join(models) or "none"],
        ["software", f"classroom-engagement {_words(manifest.software_version, 40)}"],
    ]
    if manifest.warnings:
        more = f" (and {len(manifest.warnings) - 1} more)" if len(manifest.warnings) > 1 else ""
        rows.append(["warning", _words(manifest.warnings[0], 110) + more])
    return rows


def _checked(manifest: Manifest) -> str:
    return "not made" if manifest.audit is None else manifest.audit.value


def _words(text: str | None, longest: int) -> str:
    """``text`` on one line, cut to ``longest`` characters; very long words get places to break."""
    kept = (char for char in text or "" if char.isspace() or _prints(char))
    line = " ".join("".join(kept).split())
    if len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    return " ".join("\u200b".join(_pieces(word)) for word in line.split(" "))


def _prints(char: str) -> bool:
    """Not a control, and not an invisible mark that turns the direction of the text after it."""
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs") or char in "\u200c\u200d"


def _pieces(word: str) -> Iterable[str]:
    return (word[at : at + LONGEST_WORD] for at in range(0, len(word), LONGEST_WORD))


def _day(created: str) -> str:
    try:
        day = datetime.fromisoformat(created.replace("Z", "+00:00"))  # 3.10 reads no Z
    except ValueError:
        return _words(created, 20)
    return f"{day.day} {day:%B %Y}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if whole < 60:
        return f"{whole} s"
    if whole < SHORT_CLIP_SECONDS:
        return f"{minutes} min {whole % 60} s" if whole % 60 else f"{minutes} min"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
