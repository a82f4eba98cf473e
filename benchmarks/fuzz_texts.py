"""Hostile JSON and YAML for ``benchmarks.fuzz``: as a whole, in one value, or in its bytes."""

from __future__ import annotations

import json
from typing import Any

import yaml

from benchmarks.fuzz_damage import Rng, damage

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 1e308, -1e-308, float("nan"), float("inf"), "", " ",
    "\x00", "\u202e", "\ud800", "a" * 200_000, "../../outside", "/outside", "C:\\outside", "..", "%n%s", "2026-99-99",
    "0001-01-01", "9999-12-31", "nan", "1e999", [], {}, [[]], [None], {"": ""}, {"a": {"b": {"c": 1}}}, [1e308, -1e308],
)  # fmt: skip

WHOLE_TEXTS: tuple[bytes, ...] = (
    b"",
    b"\x00",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf",
    b"[" * 100_000,
    b"{" * 100_000,
    b"[" * 900 + b"]" * 900,
    b"- " * 50_000,
    b'{"a":' * 50_000,
    b'{"seats":' + b"9" * 5_000 + b"}",
    b"rate: " + b"9" * 5_000,
    b"a: &a [*a]",
    b"? ? ? ? ?",
    b"%YAML 9.9",
    b"a: &a {b: 1}\nc: {<<: *a}",
    b"!!python/object/apply:os.system [id]",
    b"!!binary aaaa",
    b"2026-99-99",
    b"rate: 2026-13-45",
    b"&a [" + b"*a," * 9 + b"]",
    b"a" * 6_000_000,
    b"\n" * 3_000_000,
    "rate: 5".encode("utf-16"),
    b"--- 1\n--- 2",
    b"rate: .inf",
    b"rate: 1e400",
    b"1: 2",
    b"[1]: 2",
    b"{a: 1}: 2",
    b"? [a, b]\n: 1",
    b"null",
    b"~",
    b"5",
    b'"x"',
    b"rate: 190:20:30.15",
    b"=: =",
    b"a: &x [1,1,1,1,1,1,1,1,1]\nb: &y [*x,*x,*x,*x,*x,*x,*x,*x,*x]\nc: &z [*y,*y,*y,*y,*y,*y,*y,*y,*y]\n"
    b"d: &w [*z,*z,*z,*z,*z,*z,*z,*z,*z]\ne: &v [*w,*w,*w,*w,*w,*w,*w,*w,*w]\nrate: &u [*v,*v,*v,*v,*v,*v,*v,*v,*v]\n"
    b"detect: [*u,*u,*u,*u,*u,*u,*u,*u,*u]",
)


def damaged_text(rng: Rng, data: bytes, as_json: bool) -> tuple[bytes, str]:
    """A JSON or YAML text that is hostile as a whole, in one of its values, or in its bytes."""
    choice = rng.random()
    if choice < 0.15:
        place = int(rng.integers(len(WHOLE_TEXTS)))
        return WHOLE_TEXTS[place], f"whole text {place}"
    if choice < 0.35:
        return damage(rng, data)
    content = json.loads(data) if as_json else yaml.safe_load(data)
    how = []
    for _ in range(int(rng.integers(1, 3))):
        how.append(_hostile_value(rng, content))
    text = json.dumps(content, default=str) if as_json or rng.random() < 0.5 else yaml.safe_dump(content)
    return text.encode("utf-8", "surrogatepass"), "; ".join(how)


def _hostile_value(rng: Rng, content: Any) -> str:
    """Replace, remove or add one value somewhere in parsed JSON or YAML; returns where."""
    where, holder = "", content
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return f"{where} empty"
        key = keys[int(rng.integers(len(keys)))]
        where += f".{key}"
        if isinstance(holder[key], (dict, list)) and holder[key] and rng.random() < 0.7:
            holder = holder[key]
            continue
        action = rng.random()
        place = int(rng.integers(len(HOSTILE)))
        if action < 0.1:
            del holder[key]
        elif action < 0.2 and isinstance(holder, dict):
            holder["a key of nobody" if place % 2 else "x" * 100_000] = HOSTILE[place]
        elif action < 0.25 and isinstance(holder, list):
            holder.extend(holder * 200)
        else:
            holder[key] = HOSTILE[place]
        return f"{where[:60]} = {HOSTILE[place]!r}"[:100]
