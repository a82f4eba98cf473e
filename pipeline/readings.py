"""What pass 1 has read so far, saved piece by piece, so that a run that was stopped can go on where it was.

Numbers only: where people were found, and what was read of them. No picture and no appearance vector is ever in these
files; what needs those (the camera, the trackers) sees the video again.
"""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.observations import Readings, table_of

HALF = ".half"
"""Ending of a piece that is being written."""

ORIGIN, COLUMNS, STATE = "origin", "columns", "state."
DTYPES = {"frames": np.int32, "times": np.float64, "counts": np.int32, "tracks": np.int32, "values": np.float32}
BROKEN = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""What numpy and zipfile raise for a file that a kill, a full disk or somebody's hand has damaged."""

State = dict[str, np.ndarray]
"""What readers remember of the past: arrays by name."""


class ReadingLog:
    """The readings of one lecture in time order: whole pieces as files, and those since then, which the caller holds.

    A piece is there whole or not at all. Pieces of another origin, broken ones and all after them are removed when the
    log is opened.
    """

    def __init__(self, folder: Path | None, origin: str, columns: Sequence[str], every_s: float = 60.0) -> None:
        """Open what an earlier run left.

        Args:
            folder: where the pieces are, made when the first is saved; ``None`` to save nothing.
            origin: whatever decides what is read, as a hash.
            columns: of ``Readings.values``.
            every_s: length of a piece, s of the lecture.
        """
        self.state: State = {}
        """What the readers remembered at the end of the last piece."""
        self._folder = folder
        self._origin = origin
        self._columns = tuple(columns)
        self._every_s = every_s
        self._pieces, self._rows = 0, 0
        self._tail: list[Readings] = []
        self.frames: list[int] = []
        """Index of every analysed frame in the log."""
        self.times: list[float] = []
        """Their times, s."""
        if folder is not None:
            self._open(folder)

    def __len__(self) -> int:
        """Analysed frames."""
        return len(self.frames)

    def due(self, t: float) -> bool:
        """Whether a piece is to be saved, now that all up to ``t`` (s) has been read."""
        saved = int(self.times[-1] / self._every_s) if self.times else 0
        return self._folder is not None and t >= (saved + 1) * self._every_s

    def save(self, readings: Readings, state: Mapping[str, np.ndarray]) -> None:
        """Save the next piece and what the readers remember at its end.

        Raises:
            OSError: it cannot be written; the pieces before stay.
        """
        assert self._folder is not None
        self._folder.mkdir(exist_ok=True)
        path = self._path(self._pieces)
        half = path.with_name(path.name + HALF)
        arrays = {one.name: getattr(readings, one.name) for one in fields(Readings)}
        arrays |= {STATE + name: value for name, value in state.items()}
        with half.open("wb") as file:
            np.savez_compressed(file, **{ORIGIN: np.array(self._origin), COLUMNS: np.array(self._columns)}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        self._pieces += 1
        self._add(readings)
        self.state = dict(state)

    def end(self, readings: Readings, state: Mapping[str, np.ndarray]) -> None:
        """Take in what was read since the last piece, at the end of the lecture.

        It is saved only where a piece was: a lecture shorter than one leaves nothing behind.

        Raises:
            OSError: it cannot be written.
        """
        if self._pieces and len(readings):
            self.save(readings, state)
        else:
            self._tail = [readings]
            self._add(readings)

    def forget(self) -> None:
        """Remove all pieces."""
        self.state, self._tail = {}, []
        self.frames, self.times = [], []
        self._pieces, self._rows = 0, 0
        if self._folder is not None:
            _remove(self._folder)

    def pieces(self) -> Iterator[Readings]:
        """Everything, a piece at a time: only one is in memory.

        Raises:
            OSError, ValueError: a piece has been damaged since the log was opened.
        """
        for number in range(self._pieces):
            yield self._read(number)[0]
        yield from self._tail

    def one_by_one(self) -> Iterator[Readings]:
        """Each analysed frame in the pieces that are there now."""
        for number in range(self._pieces):
            yield from self._read(number)[0].one_by_one()

    def table(self) -> pd.DataFrame:
        """All rows with ``frame``, ``t``, ``track`` and the columns."""
        return table_of(self.pieces(), self._columns, self._rows)

    def _open(self, folder: Path) -> None:
        if folder.is_symlink() or not folder.is_dir():
            _remove(folder)
            return
        while self._path(self._pieces).exists():
            try:
                readings, self.state = self._read(self._pieces)
            except BROKEN:
                break
            self._pieces += 1
            self._add(readings)
        keep = {self._path(number).name for number in range(self._pieces)}
        for path in folder.iterdir():
            if path.name not in keep:
                _remove(path)

    def _add(self, readings: Readings) -> None:
        self._rows += len(readings.tracks)
        self.frames += readings.frames.tolist()
        self.times += readings.times.tolist()

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{number:05}.npz"

    def _read(self, number: int) -> tuple[Readings, State]:
        """One piece, checked.

        Raises:
            any of ``BROKEN``: it is not one of this log's.
        """
        with np.load(self._path(number), allow_pickle=False) as file:
            if file[ORIGIN].item() != self._origin or tuple(file[COLUMNS].tolist()) != self._columns:
                raise ValueError("of another origin")
            arrays = {name: file[name] for name in DTYPES}
            state = {name.removeprefix(STATE): file[name] for name in file.files if name.startswith(STATE)}
        readings = Readings(**arrays)
        if not len(readings):
            raise ValueError("empty")
        rows = int(readings.counts.sum())
        shapes: dict[str, tuple[int, ...]] = {
            "frames": (len(readings),),
            "times": (len(readings),),
            "counts": (len(readings),),
        }
        shapes |= {"tracks": (rows,), "values": (rows, len(self._columns))}
        for name, array in arrays.items():
            if array.dtype != DTYPES[name] or array.shape != shapes[name]:
                raise ValueError(f"{name} is {array.dtype}{array.shape}")
        return readings, state


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
