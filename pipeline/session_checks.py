"""What a session that somebody else wrote may hold: names, links and values that do no harm to who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import AfterValidator, Field

LONGEST_S = 1e6
"""Seconds that a session may tell of; tables are made by the second."""
MOST_STUDENTS = 100_000
"""The largest number a student may have."""


_RANGES = {
    "student": (0, MOST_STUDENTS, True),
    "frame": (0, LONGEST_S * 1000, True),
    **dict.fromkeys(("t", "start", "end"), (0, LONGEST_S, False)),
}
"""Column -> least, most, whether whole: what sizes other tables are made by, or rows are counted by."""


def _one_part(name: str) -> str:
    """Refused where it could lead out of the folder that it is put behind."""
    if not name.isprintable() or name in ("", ".", "..") or any(mark in name for mark in "/\\"):
        raise ValueError("is not the name of a file or folder")
    return name


FileName = Annotated[str, Field(max_length=255), AfterValidator(_one_part)]


def leads_out(folder: Path, path: Path) -> bool:
    """Whether a file in a folder is a link to somewhere else."""
    return path.is_symlink() and folder.resolve() not in path.resolve().parents


def wrong_with(table: pd.DataFrame, column: str, words: bool) -> str | None:
    """Why a column is not what it should be, ``None`` where nothing is wrong.

    Args:
        table: as it was read.
        column: its name.
        words: whether it may hold words; else it must hold numbers.
    """
    if column not in table:
        return "is missing"
    if len(table) and not words and not pd.api.types.is_numeric_dtype(table[column].dtype):
        return "holds no numbers"
    if column in _RANGES and not _in_range(table[column], *_RANGES[column]):
        return "holds impossible values"
    return None


def _in_range(values: pd.Series, low: float, high: float, whole: bool) -> bool:
    """Whether all values that are there lie in a range; class rows have no student."""
    there = values.dropna()
    return bool(there.between(low, high).all() and not (whole and (there % 1 != 0).any()))
