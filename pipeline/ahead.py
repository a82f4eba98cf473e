"""Long lectures in segments: what several processes find in one recording at once, for the one that analyses it.

The costly part of finding people needs nothing but the picture. So each segment's process asks the networks only, and
the analysis then goes through the whole recording with their answers at hand: camera, tracks, identities and tables
are made once, by the same steps as always, and the session is the same however a lecture was cut. No border has to be
stitched, because nobody is followed within a segment.

An answer is known by its picture (a hash of every pixel), so that it can never be given for another one. What is
missing is asked then. Files hold boxes, scores and behaviours as numbers, no picture and no look; nobody's behaviour
is read where anybody said no, because only the analysis knows who sits where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import numpy as np

from models.registry import WeightsFile
from pipeline.detect import Detections, Detector
from pipeline.progress import Progress
from pipeline.readings import BROKEN, HALF
from pipeline.video import Frame, VideoReader, prefetch

KEY_BYTES: Final = 16
Key = bytes


def key_of(image_bgr: np.ndarray) -> Key:
    """Which picture (h, w, 3) uint8 this is."""
    shape = repr(image_bgr.shape).encode()
    return hashlib.blake2b(np.ascontiguousarray(image_bgr).data, digest_size=KEY_BYTES, salt=shape[:16]).digest()


def cuts(duration_s: float, segment_s: float) -> list[tuple[float, float]]:
    """The (from, to) s of segments of equal length, none longer than ``segment_s``; one for a short lecture."""
    count = max(1, int(np.ceil(duration_s / segment_s)))
    borders = np.linspace(0, duration_s, count + 1).tolist()
    borders[-1] = float("inf")  # lengths in files are not exact
    return list(pairwise(borders))


def find_ahead(
    reader: VideoReader,
    detector: Detector,
    rate: float,
    batch: int,
    stretch: tuple[float, float],
    behaviours: bool,
    progress: Progress,
) -> Iterator[tuple[Key, Detections]]:
    """Whom the networks find in the analysed frames of a stretch, batch by batch as an analysis would ask.

    Args:
        reader: of the whole recording.
        detector: asked.
        rate: analysed frames per second.
        batch: frames per question; the borders are those between questions, since an answer may differ in its last
            bit with the number of pictures asked about.
        stretch: (from, to) s; questions that begin in it.
        behaviours: also read the behaviours of everybody.
        progress: told of the frames.

    Raises:
        VideoError: the recording cannot be decoded.
    """
    frames = prefetch(reader.frames(rate), depth=2 * batch)
    last = -1
    try:
        with progress.stage("Find", reader.info.frames) as advance:
            while asked := list(islice(frames, batch)):
                advance(asked[-1].index - last)
                last = asked[-1].index
                if asked[0].t >= stretch[1]:
                    return
                if asked[0].t >= stretch[0]:
                    yield from zip(map(_key, asked), _found(detector, asked, behaviours), strict=True)
    finally:
        frames.close()


def _key(frame: Frame) -> Key:
    return key_of(frame.image)


def _found(detector: Detector, asked: Sequence[Frame], behaviours: bool) -> Iterator[Detections]:
    for frame, found in zip(asked, detector.detect([frame.image for frame in asked]), strict=True):
        yield detector.read_behaviours(frame.image, found, np.ones(len(found), bool)) if behaviours else found


def save(path: Path, origin: str, behaviours: bool, answers: Iterable[tuple[Key, Detections]], width: int) -> None:
    """Write the answers of a segment, whole or not at all.

    Args:
        path: of the file.
        origin: hash of whatever decides them.
        behaviours: whether behaviours were read.
        answers: as of ``find_ahead``.
        width: number of behaviours.

    Raises:
        OSError: it cannot be written.
    """
    keys: list[Key] = []
    found: list[Detections] = []
    for key, one in answers:
        keys.append(key)
        found.append(one)
    arrays = {
        "origin": np.array(origin),
        "read": np.array(behaviours),
        "keys": np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES),
        "counts": np.array([len(one) for one in found], np.int32),
        "boxes": np.concatenate([np.zeros((0, 4), np.float32), *(one.boxes_xyxy for one in found)]),
        "scores": np.concatenate([np.zeros(0, np.float32), *(one.scores for one in found)]),
        "behaviours": np.concatenate([np.zeros((0, width), np.float32), *(one.behaviours for one in found)]),
    }
    half = path.with_name(path.name + HALF)
    with half.open("wb") as file:
        np.savez_compressed(file, **arrays)
    half.replace(path)


class Foreseen:
    """A detector that gives the answers found ahead, and asks another one for the rest."""

    def __init__(self, detector: Detector, files: Iterable[Path], origin: str) -> None:
        """Read what segments found; a file that is damaged, or of another origin, counts for nothing."""
        self._detector = detector
        self._answers: dict[Key, tuple[Detections, bool]] = {}
        self.behaviour_names: tuple[str, ...] = detector.behaviour_names
        self.weights: WeightsFile = detector.weights
        self.behaviour_weights: WeightsFile | None = detector.behaviour_weights
        for path in files:
            try:
                self._answers |= _read(path, origin, len(self.behaviour_names))
            except BROKEN:
                continue

    def __len__(self) -> int:
        """Pictures whose answers are known."""
        return len(self._answers)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """See ``Detector``; the other one is asked about all where it has to be asked about one."""
        known = [self._answers.get(key_of(image)) for image in images]
        answers = [one[0] for one in known if one is not None]
        return answers if len(answers) == len(images) else self._detector.detect(images)

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        """See ``Detector``."""
        known = self._answers.get(key_of(image_bgr))
        if known is not None and known[1] and known[0] is found and allowed.all():
            return found  # it came with them
        return self._detector.read_behaviours(image_bgr, found, allowed)


def _read(path: Path, origin: str, width: int) -> dict[Key, tuple[Detections, bool]]:
    """The answers in a file.

    Raises:
        any of ``BROKEN``: it is none, or of another origin.
    """
    with np.load(path, allow_pickle=False) as file:
        if file["origin"].item() != origin:
            raise ValueError("of another origin")
        arrays = {name: file[name] for name in ("keys", "counts", "boxes", "scores", "behaviours")}
        read = bool(file["read"])
    people = int(arrays["counts"].sum())
    shapes = {"boxes": (people, 4), "scores": (people,), "behaviours": (people, width)}
    if any(arrays[name].shape != shape or arrays[name].dtype != np.float32 for name, shape in shapes.items()):
        raise ValueError("other columns")
    if arrays["keys"].shape != (len(arrays["counts"]), KEY_BYTES) or (arrays["counts"] < 0).any():
        raise ValueError("other rows")
    ends = np.cumsum(arrays["counts"])
    answers = {}
    for key, end, count in zip(arrays["keys"], ends.tolist(), arrays["counts"].tolist(), strict=True):
        rows = slice(end - count, end)
        found = Detections(*(np.ascontiguousarray(arrays[name][rows]) for name in shapes))
        answers[key.tobytes()] = found, read
    return answers
