"""The content of the report of one lecture, as blocks on three pages."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Final

import numpy as np
import pandas as pd

from models.states import PALETTE, Profile
from pipeline.session import BOX, DataDeleted, Manifest, Session, SessionError
from reports import words
from reports.beri import WINDOW_S, session_share
from reports.blocks import (
    Block,
    clock,
    columns,
    day_in_words,
    duration_in_words,
    facts,
    figure,
    heading,
    number,
    numbers,
    percent,
    points,
    span,
    table,
    text,
)
from reports.blocks import words as plain
from reports.figures import bin_seconds, engagement_svg, shares_svg
from reports.formula import (
    STUDENT,
    in_bins,
    session_shares,
    summary,
    summary_interval,
    withheld_seconds,
)
from reports.measured import Measured
from reports.pictures import distribution_svg, seats_svg, still_svg
from reports.segments import segment_values, student_values
from reports.sensitivity import WEIGHTINGS, band
from reports.weights import Rules

MOST_SEGMENT_ROWS: Final = 8
MOST_EVENTS: Final = 4
STILLS: Final = 2
GUTTER_MM: Final = 8.0


def lecture_content(measured: Measured, width_mm: float, height_mm: float) -> dict[str, Any]:
    """The report of one lecture.

    Args:
        measured: see there.
        width_mm: of the text.
        height_mm: of a figure over the whole width.

    Raises:
        SessionError: a table of the session is missing, deleted or damaged.
    """
    manifest = measured.manifest
    made = f"analysed on {day_in_words(manifest.created)}"
    return {
        "kicker": "Engagement report",
        "title": plain(PurePath(manifest.source.name).stem, 90) or "Lecture",
        "subtitle": [plain(manifest.course, 60)] * bool(manifest.course) + [made, f"profile: {manifest.profile.value}"],
        "pages": [
            _results(measured, width_mm, height_mm),
            _making(measured, width_mm),
            closing_page(manifest, measured.rules, measured.session),
        ],
    }


def _results(measured: Measured, width_mm: float, height_mm: float) -> list[Block]:
    made, manifest = measured.table, measured.manifest
    events = measured.session.events
    mean, coverage = summary(made)
    interval = summary_interval(made)
    share, of_share = session_share(measured.windows)
    students = int((made["scope"] == STUDENT).sum())
    few = mean is None and coverage > 0
    half = (width_mm - GUTTER_MM) / 2
    unusual = ((events["start"] + events["end"]) / 2).to_numpy(float)
    step = duration_in_words(bin_seconds(made))
    return [
        numbers(
            [
                (str(students), "student" if students == 1 else "students"),
                (duration_in_words(manifest.duration), "duration"),
                (number(mean, few), "mean index, 0 to 1"),
                (span(*interval), "its 95% interval"),
                (percent(coverage), "coverage: student time seen"),
                (percent(share), "share engaged, without weights"),
            ]
        ),
        text(_in_words(measured)),
        heading("Class engagement over time", f"mean of the students seen in steps of {step}, with 95% interval"),
        figure(
            engagement_svg(made, measured.segments, unusual, width_mm, height_mm),
            f"Line of the class index over time with its interval, session mean {number(mean, few)}; underneath the"
            f" share of the class that was seen, {percent(coverage)} overall.",
        ),
        heading("What students were seen to do", "share of all student time; unseen is time without evidence"),
        figure(shares_svg(made, manifest.profile, width_mm, height_mm), _shares_in_words(made, manifest.profile)),
        columns(_segments(measured), _students(measured, half), shares=(1, 1)),
        text(f"{_window_words(measured, share, of_share)} {words.SPREAD}", quiet=True),
    ]


def _in_words(measured: Measured) -> str:
    """The result in two or three sentences."""
    mean, coverage = summary(measured.table)
    least = measured.rules.withhold_below
    if mean is None:
        if coverage > 0:
            return (
                f"Class values are withheld: never were {least} students seen at the same time, and a mean over fewer"
                " says too much about each of them."
            )
        return "Nobody was seen in this recording, so there is nothing to say about engagement."
    low, high = summary_interval(measured.table)
    sure = f" (95% interval {span(low, high)})" if low == low else ", too short for an interval"
    other = band(session_shares(measured.table))
    others = "" if other is None else (
        f" Under {WEIGHTINGS:,} other weightings that keep the order of the states it would mostly lie between"
        f" {other.low:.2f} and {other.high:.2f}: so much depends on the weights."
    )  # fmt: skip
    held = withheld_seconds(measured.table)
    kept_back = f" {duration_in_words(held)} with fewer than {least} students seen do not count." if held else ""
    return f"The class index was {mean:.2f}{sure}, over {coverage:.0%} of the student time.{others}{kept_back}"


def _window_words(measured: Measured, share: float | None, interval: tuple[float, float]) -> str:
    if share is None:
        return f"The share engaged is withheld. {words.SHARE}"
    sure = f" ({interval[0]:.0%} to {interval[1]:.0%})" if interval[0] == interval[0] else ""
    count = int(measured.windows["share"].notna().sum())
    shorter = measured.manifest.duration < WINDOW_S
    over = "the whole clip" if shorter else f"{count} {'window' if count == 1 else 'windows'}"
    return f"Share engaged: {share:.0%}{sure} of the students observed, over {over}. {words.SHARE}"


def _shares_in_words(made: pd.DataFrame, profile: Profile) -> str:
    shares = session_shares(made)
    if not shares:
        return "Empty: nothing was seen, or the shares are withheld."
    listed = ", ".join(f"{state.label} {shares[state]:.0%}" for state in profile.states if state in shares)
    return f"Stacked shares of the states over time. Of the seen time: {listed}."


def _segments(measured: Measured) -> list[Block]:
    values = segment_values(measured.table, measured.segments)
    automatic = all(one.automatic for one in measured.segments)
    if automatic and len(values) == 1:
        note = "no change of the class’s level was found"
    else:
        note = "found automatically where the level changes" if automatic else "as named by you"
    rows = [
        [
            str(place),
            f"{clock(one.segment.start)}–{clock(one.segment.end)}"
            + ("" if one.segment.automatic else f" {plain(one.segment.title, 34)}"),
            number(one.mean, one.coverage > 0),
            span(*one.interval),
            percent(one.coverage),
        ]
        for place, one in enumerate(values[:MOST_SEGMENT_ROWS], 1)
    ]
    blocks = [heading("Segments", note), table(["", "time", "index", "95% interval", "seen"], rows, left=2)]
    if len(values) > MOST_SEGMENT_ROWS:
        blocks.append(text(f"and {len(values) - MOST_SEGMENT_ROWS} more; engage export has all.", quiet=True))
    return blocks


def _students(measured: Measured, width_mm: float) -> list[Block]:
    values = student_values(measured.table)
    title = heading("Spread over students", "no names, no ranking")
    if len(values) < measured.rules.withhold_below:
        least = measured.rules.withhold_below
        return [title, text(f"Withheld: fewer than {least} students were seen.", quiet=True)]
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    alt = f"Students by index. One in ten lies below {low:.2f}, half below {middle:.2f}, one in ten above {high:.2f}."
    return [title, figure(distribution_svg(values, width_mm, 34.0), alt)]


def _making(measured: Measured, width_mm: float) -> list[Block]:
    half = (width_mm - GUTTER_MM) / 2
    return [
        heading("How it was made"),
        text(words.approach(measured.manifest)),
        table(["model", "what it is for, and why it", "measured"], words.models(measured.session), left=3),
        columns(
            [heading("The engagement index"), weights_table(measured), text(words.FORMULA, quiet=True)],
            [*_seats(measured, half), *_events(measured)],
            shares=(1, 1),
        ),
        *_stills(measured),
    ]


def weights_table(measured: Measured) -> Block:
    """Weight, share of the seen time and their product for each state, the highest weight first."""
    shares = session_shares(measured.table)
    weights = measured.rules.weights
    states = sorted(measured.manifest.profile.states, key=lambda state: -weights[state])
    rows = []
    for state in states:
        share = shares.get(state)
        rows.append(
            [
                state.label,
                f"{weights[state]:.2f}",
                "–" if share is None else f"{share:.1%}",
                "–" if share is None else f"{share * weights[state]:.3f}",
            ]
        )
    mean = summary(measured.table).mean
    rows.append(["class index", "", "", "–" if mean is None else f"{mean:.3f}"])
    head = ["state", "weight", "× share of seen time", "="]
    return table(head, rows, colours=[PALETTE[state] for state in states], total=True)


def _seats(measured: Measured, width_mm: float) -> list[Block]:
    least = measured.rules.withhold_below
    rows = measured.table[measured.table["scope"] == STUDENT]
    rows = rows[rows["engagement"].notna()].astype({"student": int})
    title = heading("By place in the picture", f"each colour is the mean of {least} students who sit near")
    if len(rows) < least or rows.empty:
        return [title, text(f"Withheld: fewer than {least} students were seen.", quiet=True)]
    boxes = measured.session.observed("student", *BOX)
    middle = boxes.groupby("student")[list(BOX)].median()
    seats = pd.DataFrame({"x": (middle["x1"] + middle["x2"]) / 2, "y": middle["y1"] * 0.75 + middle["y2"] * 0.25})
    seats = rows.merge(seats, left_on="student", right_index=True)
    if len(seats) < least:
        return [title, text("Withheld: the places of too few students are known.", quiet=True)]
    size = measured.manifest.width, measured.manifest.height
    height = min((width_mm - 18) * size[1] / size[0] + 2, 44.0)
    return [title, figure(seats_svg(seats, size, least, width_mm, height), "Map of the picture: the index by place.")]


def _events(measured: Measured) -> list[Block]:
    events = measured.session.events
    title = heading("Unusual spans", "for one student each, against the rest of the student’s own lecture")
    if events.empty:
        return [title, text("Nothing unusual was found.", quiet=True)]
    first = events.sort_values(["score", "start"], ascending=[False, True]).head(MOST_EVENTS).sort_values("start")
    rows = [[f"{clock(one.start)}–{clock(one.end)}", plain(str(one.why), 90)] for one in first.itertuples(index=False)]
    more = len(events) - len(rows)
    blocks = [title, table(["time", "what"], rows, left=2)]
    return blocks + [text(f"and {more} more, in events.parquet and the dashboard.", quiet=True)] * (more > 0)


def _stills(measured: Measured) -> list[Block]:
    """Example frames: where the class index was highest and lowest."""
    title = heading("Examples", "from the annotated video")
    bins = in_bins(measured.table, max(1, round(measured.manifest.duration / 60)))
    bins = bins[bins["engagement"].notna()]
    if bins.empty:
        return [title, text("No moment has a class value to show an example of.", quiet=True)]
    length = max(1, round(measured.manifest.duration / 60))
    ranked = bins.sort_values("engagement", kind="stable")["t"]
    times = list(dict.fromkeys([float(ranked.iloc[-1]), float(ranked.iloc[0])]))[:STILLS]
    middles = sorted(min(t + length / 2, max(measured.manifest.duration - 0.5, 0.0)) for t in times)
    try:
        found = measured.session.stills(middles)
    except DataDeleted:
        return [title, text("The annotated video was deleted, as promised to the students: no pictures.", quiet=True)]
    except SessionError:  # not its words: they hold the folder's path, which can name people
        return [title, text("No pictures: the annotated video is not there, or can not be read.", quiet=True)]
    if not found:
        return [title, text("No pictures: no frame could be covered so that no face shows.", quiet=True)]
    parts: list[list[Block]] = []
    for one in found:
        value = bins.loc[(bins["t"] - one.t + length / 2).abs().idxmin(), "engagement"]
        caption = f"{clock(one.t)}, class index {value:.2f}"
        parts.append([figure(still_svg(one.image_bgr), f"Frame at {caption}; each student in a numbered box.")])
        parts[-1].append(text(caption, quiet=True))
    why = (
        "Everybody’s head is covered here."
        if all(one.covered for one in found)
        else "Showing was granted; heads of those who said no are covered."
    )
    return [heading("Examples", f"from the annotated video, where the index was highest and lowest. {why}"),
            columns(*parts, shares=[1] * len(parts))]  # fmt: skip


def closing_page(manifest: Manifest, rules: Rules, session: Session) -> list[Block]:
    """Limits, ethics, where it comes from and how to cite it."""
    return [
        heading("Limits"),
        points(words.LIMITS),
        heading("What to do with it, and what not"),
        points([*words.USE, words.profile_sentence(manifest.profile)]),
        heading("Consent and privacy"),
        facts(words.consent_facts(manifest, rules)),
        heading("Where it comes from"),
        facts(
            [
                ("recording", f"{plain(manifest.source.name, 60)} (sha256 {manifest.source.sha256[:12]}…)"),
                ("session", f"{plain(session.id, 60)}, analysed on {day_in_words(manifest.created)}"),
                ("software", f"classroom-engagement {plain(manifest.software_version, 30)}"),
            ]
        ),
        heading("How to cite"),
        text(words.how_to_cite(manifest.software_version)),
        points(words.REFERENCES),
    ]
