"""The figures of the report, as SVG. They read in black and white too: the names stand in the figure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from models.states import PALETTE, UNSEEN, Profile, State
from reports.formula import SHARE_PREFIX, class_rows, in_bins, summary
from reports.intervals import curve_half_widths
from reports.segments import Segment

FONT: Final = "DejaVu Sans"
FONT_FOLDER: Final = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
"""Where matplotlib keeps ``FONT``: the text of the figures stays text, so the PDF needs the same font."""

BIN_SECONDS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300)
MOST_BINS: Final = 180
"""About one step per millimetre of a page's width; more would not be seen."""

INK, PALE = "#2B2B2B", "#C9CED6"
NAMED_FROM: Final = 0.09
"""A band is named inside where it is at least this share of the height; the legend names all."""

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "engage",
    "font.family": FONT,
    "font.size": 7.0,
}
MILLIMETRE = 1 / 25.4


def bin_seconds(table: pd.DataFrame) -> int:
    """The shortest of ``BIN_SECONDS`` that shows the session in at most ``MOST_BINS`` steps."""
    span = _span(table)
    return next((length for length in BIN_SECONDS if span <= length * MOST_BINS), BIN_SECONDS[-1])


def engagement_svg(
    table: pd.DataFrame,
    segments: Sequence[Segment],
    unusual: Sequence[float],
    width_mm: float,
    height_mm: float,
) -> str:
    """The class index over time with its interval and the session's mean; underneath, how much was seen.

    Args:
        table: see ``reports.formula.engagement_table``.
        segments: parted by lines, numbered from 1; one alone is not drawn.
        unusual: middles of unusual spans (s), marked along the top.
        width_mm: width on paper.
        height_mm: height on paper.

    Returns:
        SVG whose text is set in ``FONT``.
    """
    with matplotlib.rc_context(STYLE):
        figure, (index, band) = _figure(width_mm, height_mm, rows=(4.2, 1.0))
        bins, edges = _bins(table)
        mean, coverage = summary(table)
        if mean is None:
            nothing = "withheld: too few students were seen at once" if coverage > 0 else "nobody was seen"
            index.text(0.5, 0.5, nothing, transform=index.transAxes, ha="center", va="center", color=INK)
        else:
            values = bins["engagement"].to_numpy(float)
            half = _half_widths(table, len(values))
            low, high = np.clip(values - half, 0, 1), np.clip(values + half, 0, 1)
            index.stairs(high, edges, baseline=low, fill=True, color=PALETTE[State.ATTENTIVE], alpha=0.22, linewidth=0)
            index.axhline(mean, color=INK, linewidth=0.6, linestyle=(0, (4, 3)))
            index.stairs(values, edges, color=PALETTE[State.ATTENTIVE], linewidth=1.3, baseline=None)
            _beside(index, f"mean {mean:.2f}", mean)
        if len(segments) > 1:
            _draw_segments(index, segments, edges[-1] - edges[0])
        if len(unusual):
            index.plot(unusual, np.full(len(unusual), 0.02), "^", color=INK, markersize=2.5, clip_on=False, mew=0)
            _beside(index, "▲ unusual", 0.02)
        index.set_ylim(0, 1)
        index.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        index.set_ylabel("index")
        index.grid(axis="y", color=PALE, linewidth=0.4)
        band.stairs(bins["coverage"].to_numpy(float), edges, fill=True, color=PALETTE[UNSEEN], linewidth=0)
        _beside(band, f"seen {coverage:.0%}", 0.5)
        _shares_axis(band, ticks=(0, 1))
        _time_axis(index, band, table)
        return as_svg(figure)


def shares_svg(table: pd.DataFrame, profile: Profile, width_mm: float, height_mm: float) -> str:
    """What the students were seen to do over time: shares of all student time, the unseen rest on top.

    Args and returns as ``engagement_svg``; ``profile`` gives the states in their fixed order.
    """
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = _figure(width_mm, height_mm, rows=(1.0,))
        bins, edges = _bins(table)
        coverage = bins["coverage"].to_numpy(float)
        if summary(table).mean is None and coverage.any():
            axes.text(0.5, 0.5, "shares are withheld", transform=axes.transAxes, ha="center", va="center", color=INK)
        bottom = np.zeros(len(bins))
        layers = [
            (
                state.label,
                PALETTE[state],
                np.nan_to_num(bins[SHARE_PREFIX + state.value].to_numpy(float)) * coverage,
            )
            for state in profile.states
        ]
        for label, colour, height in [*layers, (UNSEEN, "#E4E4E4", np.clip(1.0 - coverage, 0.0, 1.0))]:
            top = bottom + height
            axes.stairs(top, edges, baseline=bottom, fill=True, color=colour, linewidth=0, label=label)
            # A white edge keeps neighbours apart in black and white, where some colours have one grey.
            axes.stairs(top, edges, color="white", linewidth=0.5, baseline=None)
            _name_inside(axes, label, colour, edges, bottom, height)
            bottom = top
        axes.set_ylim(0, 1)
        _shares_axis(axes, ticks=(0, 0.5, 1))
        axes.legend(
            loc="center left", bbox_to_anchor=(1.005, 0.5), reverse=True, frameon=False,
            handlelength=1.0, handleheight=1.0, labelspacing=0.35, borderaxespad=0.2,
        )  # fmt: skip
        _time_axis(axes, axes, table)
        return as_svg(figure)


def _figure(width_mm: float, height_mm: float, rows: tuple[float, ...]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width_mm * MILLIMETRE, height_mm * MILLIMETRE))
    # Equal margins in both figures, so that the same moment stands at the same place on the page.
    left, right, foot = 11 / width_mm, 1 - 24 / width_mm, 5 / height_mm
    grid = figure.add_gridspec(
        len(rows),
        1,
        height_ratios=rows,
        left=left,
        right=right,
        bottom=foot,
        top=1 - 2 / height_mm,
        hspace=0.24,
    )
    axes = [figure.add_subplot(grid[row]) for row in range(len(rows))]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set(color=PALE, linewidth=0.6)
        one.tick_params(length=2, width=0.5, color=PALE, labelcolor=INK)
    return figure, axes


def _half_widths(table: pd.DataFrame, count: int) -> NDArray[np.float64]:
    """Half of the interval around each bin of the curve."""
    rows = class_rows(table)
    weight = rows["weight"].to_numpy(float)
    at = np.floor(rows["t"].to_numpy(float) / bin_seconds(table)).astype(int)
    half = curve_half_widths(np.nan_to_num(rows["engagement"].to_numpy(float)) * weight, weight, at - at.min())
    return half if len(half) == count else np.full(count, np.nan)


def _draw_segments(axes: Axes, segments: Sequence[Segment], span: float) -> None:
    """A line where each begins, and its number above the middle where there is room."""
    for place, one in enumerate(segments, 1):
        if place > 1:
            axes.axvline(one.start, color=INK, linewidth=0.6, linestyle=(0, (1, 2)))
        if one.end - one.start > 0.025 * span:
            axes.annotate(str(place), ((one.start + one.end) / 2, 1), (0, -1), axes.get_xaxis_transform(),
                          "offset points", ha="center", va="top", color=INK, fontsize=6.5)  # fmt: skip


def _span(table: pd.DataFrame) -> float:
    seconds = table["t"].dropna()
    return float(seconds.max() - seconds.min() + 1) if len(seconds) else 1.0


def _bins(table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """The binned class and the edges of the bins (s); an empty session is one bin without evidence."""
    length = bin_seconds(table)
    bins = in_bins(table, length)
    if bins.empty:
        bins = bins.reindex([0]).fillna({"t": 0.0, "coverage": 0.0})
    starts = bins["t"].to_numpy(float)
    return bins, np.append(starts, starts[-1] + length)


def _name_inside(
    axes: Axes,
    label: str,
    colour: str,
    edges: NDArray[np.float64],
    bottom: NDArray[np.float64],
    height: NDArray[np.float64],
) -> None:
    """Write the name of a band where it is thick over the whole length of the word."""
    word = max(1, round(len(edges) * 0.013 * len(label)))
    if len(height) < word:
        return
    low = np.lib.stride_tricks.sliding_window_view(bottom, word).max(axis=1)
    high = np.lib.stride_tricks.sliding_window_view(bottom + height, word).min(axis=1)
    room = high - low
    if room.max() < NAMED_FROM:
        return
    widest = np.flatnonzero(room > room.max() - 1e-9)
    at = int(widest[len(widest) // 2])
    x = (edges[at] + edges[at + word]) / 2
    axes.text(x, (low[at] + high[at]) / 2, label, ha="center", va="center", fontsize=6.5, color=_contrast(colour))


def _contrast(colour: str) -> str:
    """Black or white, whichever stands out from ``colour`` (luma of ITU-R BT.601)."""
    red, green, blue = to_rgb(colour)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"


def _beside(axes: Axes, text: str, y: float) -> None:
    """Write ``text`` in the right margin at the height ``y``."""
    axes.annotate(text, (1, y), (4, 0), axes.get_yaxis_transform(), "offset points", va="center", color=INK)


def _shares_axis(axes: Axes, ticks: tuple[float, ...]) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks(ticks)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _time_axis(first: Axes, last: Axes, table: pd.DataFrame) -> None:
    """One axis of time under ``last``, in seconds for clips under three minutes, else in minutes."""
    span = _span(table)
    start = float(table["t"].min()) if table["t"].notna().any() else 0.0
    unit, seconds = ("s", 1.0) if span < 180 else ("min", 60.0)
    marks = MaxNLocator(9, steps=[1, 1.5, 2, 3, 5, 10], integer=True)
    ticks = [mark * seconds for mark in marks.tick_values(start / seconds, (start + span) / seconds)]
    for axes in (first, last):
        axes.set_xticks([tick for tick in ticks if start <= tick <= start + span])
        axes.set_xlim(start, start + span)
    last.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{t / seconds:g}"))
    # In the right margin, level with the numbers of the ticks: a line of its own would cost height.
    last.annotate(unit, (1, 0), (12, -4), "axes fraction", "offset points", va="top", color=INK)
    if first is not last:
        first.tick_params(bottom=False, labelbottom=False)


def as_svg(figure: Figure) -> str:
    """The figure as SVG, the same each time."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
