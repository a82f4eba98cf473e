"""Ways in which bytes of a file are damaged, for ``benchmarks.fuzz``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00FFFFFF, 0x40000000)
FIELDS = tuple(
    name.encode()
    for name in [
        "tkhd",
        "mdhd",
        "mvhd",
        "stts",
        "stsz",
        "stsc",
        "stco",
        "ctts",
        "elst",
        "stsd",
        "avcC",
        "hvcC",
        "trun",
        "tfhd",
        "trex",
        "tfdt",
        "hdlr",
        "idx1",
        "strh",
        "strf",
    ]
)
"""Boxes of MP4 and AVI in which a wrong number does most."""


def damage(rng: Rng, data: bytes) -> tuple[bytes, str]:
    """The bytes with one to four kinds of damage, and their names."""
    names = []
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.4 else 1):
        one = DAMAGES[int(rng.integers(len(DAMAGES)))]
        data = bytes(one(rng, bytearray(data))) if data else b""
        names.append(one.__name__.strip("_"))
    return data, " ".join(names)


def _cut(rng: Rng, data: bytearray) -> bytearray:
    return data[: int(rng.integers(len(data)))]


def _cut_front(rng: Rng, data: bytearray) -> bytearray:
    return data[int(rng.integers(len(data))) :]


def _flip(rng: Rng, data: bytearray) -> bytearray:
    for at in rng.integers(len(data), size=int(2 ** rng.integers(0, 8))):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def _flip_head(rng: Rng, data: bytearray) -> bytearray:
    for at in rng.integers(min(len(data), 800), size=int(2 ** rng.integers(0, 4))):
        data[at] = int(rng.integers(256))
    return data


def _number(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(max(1, len(data) - 8))), int(rng.choice([1, 2, 4, 8]))
    return _put(rng, data, at, size)


def _field(rng: Rng, data: bytearray) -> bytearray:
    places = [place for name in FIELDS if (place := data.find(name)) >= 0]
    if not places:
        return _number(rng, data)
    at = int(rng.choice(places)) + 4 * int(rng.integers(-1, 12))
    return _put(rng, data, max(0, at), 4)


def _put(rng: Rng, data: bytearray, at: int, size: int) -> bytearray:
    value = int(rng.choice(NUMBERS)) & (256**size - 1)
    data[at : at + size] = value.to_bytes(size, "big" if rng.random() < 0.7 else "little")
    return data


def _zero(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
    data[at : at + size] = bytes(len(data[at : at + size]))
    return data


def _repeat(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
    return data[:at] + data[at : at + size] * int(rng.integers(2, 20)) + data[at:]


def _drop(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
    return data[:at] + data[at + size :]


def _swap(rng: Rng, data: bytearray) -> bytearray:
    a, b = sorted(int(at) for at in rng.integers(len(data), size=2))
    return data[b:] + data[a:b] + data[:a]


DAMAGES: tuple[Callable[[Rng, bytearray], bytearray], ...] = (
    _cut, _cut_front, _flip, _flip, _flip_head, _flip_head, _number, _field, _field, _zero, _repeat, _drop, _swap,
)  # fmt: skip
