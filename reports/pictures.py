"""The smaller figures of the report: students without names, seats, example frames, several lectures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Final

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from models.states import PALETTE, State
from reports.figures import INK, MILLIMETRE, PALE, STYLE, as_svg
from reports.intervals import Interval

CELLS: Final = 56
"""Of the seat map across the picture's width."""

REACH: Final = 0.11
"""Widths of the picture around a seat that the seat map colours."""

STILL_PX: Final = 760
"""Width of an example frame; more is not seen at its size on paper."""


def distribution_svg(values: NDArray[np.float64], width_mm: float, height_mm: float) -> str:
    """One dot per student by index, stacked in steps of 0.05, with the median: no number says whose dot it is.

    Args:
        values: (n,) 0 to 1.
        width_mm: width on paper.
        height_mm: height on paper.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(width_mm, height_mm, left=4, right=4, foot=9, top=6)
        steps = np.clip(np.floor(values / 0.05 + 1e-9), 0, 19).astype(int)
        counts = np.bincount(steps, minlength=20)
        axes.bar(np.arange(20) * 0.05 + 0.025, counts, width=0.044, color=PALETTE[State.ATTENTIVE])
        for step, count in enumerate(counts):
            if count:
                axes.annotate(str(count), (step * 0.05 + 0.025, count), (0, 1), textcoords="offset points", ha="center",
                              bbox={"pad": 0.2, "color": "white"}, zorder=1)  # fmt: skip
        middle = float(np.median(values))
        axes.axvline(middle, color=INK, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(
            f"median {middle:.2f}", (middle, 1), (0, 2), axes.get_xaxis_transform(), "offset points", ha="center"
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, max(counts.max() * 1.3, 1))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("index of a student over the lecture; bars: number of students", labelpad=2)
        return as_svg(figure)


def seats_svg(seats: pd.DataFrame, size_px: tuple[int, int], least: int, width_mm: float, height_mm: float) -> str:
    """The picture's plane coloured by the index of those who sit near: at each place the mean of ``least`` students.

    So no colour is the value of one student. Seats are dots.

    Args:
        seats: ``x``, ``y`` (px), ``engagement`` (0 to 1) and ``minutes_seen`` of each student who was seen.
        size_px: width and height of the picture.
        least: students in each mean, as many as are needed for a class value; at most as many as ``seats`` has.
        width_mm: width on paper.
        height_mm: height on paper.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(width_mm, height_mm, left=1, right=17, foot=1, top=1)
        width, height = size_px
        places = seats[["x", "y"]].to_numpy(float) / width
        x = (np.arange(CELLS) + 0.5) / CELLS
        y = (np.arange(max(1, round(CELLS * height / width))) + 0.5) / CELLS
        grid = np.stack(np.meshgrid(x, y), axis=-1)
        distance, nearest = cKDTree(places).query(grid, k=[*range(1, least + 1)])
        weight = seats["minutes_seen"].to_numpy(float)[nearest]
        value = (seats["engagement"].to_numpy(float)[nearest] * weight).sum(axis=-1) / weight.sum(axis=-1)
        shown = np.where(distance[..., 0] <= REACH, value, np.nan)
        low, high = np.floor(np.nanmin(value) * 10) / 10, np.ceil(np.nanmax(value) * 10) / 10
        low, high = (low, high) if high - low >= 0.2 else (max(high - 0.2, 0.0), max(high, 0.2))
        # a picture, not cells: viewers draw hairlines between those
        mesh = axes.imshow(
            shown, cmap="cividis", vmin=low, vmax=high, extent=(0, 1, len(y) / CELLS, 0), interpolation="nearest"
        )
        axes.plot(*places.T, "o", color="white", markeredgecolor=INK, markersize=3, markeredgewidth=0.5)
        axes.set_xlim(0, 1)
        axes.set_ylim(height / width, 0)
        axes.set_aspect("equal", anchor="W")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set(visible=True, color=PALE, linewidth=0.6)
        inset = axes.inset_axes((1.03, 0.1, 0.035, 0.8))
        bar = figure.colorbar(mesh, cax=inset, ticks=[low, (low + high) / 2, high], format="%.2g")
        bar.outline.set_visible(False)
        inset.tick_params(length=1.5, width=0.5, color=PALE, labelcolor=INK)
        return as_svg(figure)


def still_svg(image_bgr: NDArray[np.uint8]) -> str:
    """A frame as an image in SVG, at the size it has on paper."""
    picture = Image.fromarray(np.ascontiguousarray(image_bgr[:, :, ::-1]))
    picture.thumbnail((STILL_PX, STILL_PX))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    width, height = picture.size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" href="data:image/jpeg;base64,{data}"/></svg>'
    )


def lectures_svg(
    places: Sequence[float],
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[Interval],
    width_mm: float,
    height_mm: float,
    line: tuple[float, float] | None = None,
) -> str:
    """The class index of several lectures with their intervals; those without a value are left out.

    Args:
        places: where each stands on the axis (days).
        names: what stands below it.
        values: the index.
        intervals: of each.
        width_mm: width on paper.
        height_mm: height on paper.
        line: value at the first place and at the last of a straight trend.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(width_mm, height_mm, left=11, right=6, foot=8, top=3)
        if line is not None:
            axes.plot([places[0], places[-1]], line, color=INK, linewidth=0.6, linestyle=(0, (4, 3)))
        for place, value, (low, high) in zip(places, values, intervals, strict=True):
            if value is None:
                continue
            if low == low:
                axes.plot([place, place], [low, high], color=PALETTE[State.ATTENTIVE], linewidth=1.2)
            axes.plot([place], [value], "o", color=PALETTE[State.ATTENTIVE], markersize=4)
        reach = max(places[-1] - places[0], 1.0)
        axes.set_xlim(places[0] - 0.06 * reach, places[-1] + 0.06 * reach)
        every = max(1, int(np.ceil(len(places) / 12)))
        axes.set_xticks(list(places)[::every], list(names)[::every])
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        axes.set_ylabel("index")
        axes.grid(axis="y", color=PALE, linewidth=0.4)
        return as_svg(figure)


def _axes(
    width_mm: float, height_mm: float, *, left: float, right: float, foot: float, top: float
) -> tuple[Figure, Axes]:
    """One plot with margins in mm."""
    figure = Figure(figsize=(width_mm * MILLIMETRE, height_mm * MILLIMETRE))
    axes = figure.add_axes(
        (
            left / width_mm,
            foot / height_mm,
            1 - (left + right) / width_mm,
            1 - (foot + top) / height_mm,
        )
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=PALE, linewidth=0.6)
    axes.tick_params(length=2, width=0.5, color=PALE, labelcolor=INK)
    return figure, axes
