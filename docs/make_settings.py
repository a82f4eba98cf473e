"""Write ``docs/settings.md`` from the settings classes: ``python docs/make_settings.py``.

A test fails when the page and the classes differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.settings import Settings

PAGE = Path(__file__).with_name("settings.md")

HEAD = """\
# Settings

Every setting of a run, with its default. A YAML file given with `engage run lecture.mp4 --config my.yaml` changes any
of them; options of the command line win over the file; `session.json` keeps all that a run used.

```yaml
{example}```

A name that does not exist or a value out of range stops the run with exit code 2 before anything is written.
A pair of numbers such as `states.away_deg` says where a cue is absent (strength 0) and where it is fully present
(strength 1), linear between.

<!-- Made by docs/make_settings.py from the settings classes: change those, then run it again. -->
"""

EXAMPLE: Mapping[str, Any] = {
    "profile": "observable",
    "blur": "everyone",
    "rate": 2,
    "detect": {"imgsz": 1280},
    "cover": {"style": "pixelate"},
}
"""Settings shown at the top of the page; a test reads them."""


def page() -> str:
    """The whole page as Markdown."""
    defaults = Settings().model_dump(mode="json")
    fields = Settings.model_fields
    plain = {name: field for name, field in fields.items() if not _section(field)}
    parts = [HEAD.format(example=yaml.safe_dump(dict(EXAMPLE), sort_keys=False))]
    parts += ["## The run\n", *_table(plain, defaults, "")]
    for name, field in fields.items():
        if section := _section(field):
            parts += [f"\n## `{name}`: {_first_sentence(section)}\n"]
            parts += _table(section.model_fields, defaults[name], f"{name}.")
    return "\n".join(parts) + "\n"


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _first_sentence(model: type[BaseModel]) -> str:
    sentence = (model.__doc__ or "").strip().splitlines()[0].rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def _table(fields: Mapping[str, FieldInfo], defaults: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """A table of the fields, then the defaults too large for a cell."""
    yield "| setting | default | may be | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        default = defaults[name]
        shown = "see below" if isinstance(default, dict) else f"`{json.dumps(default)}`".replace('"', "")
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{prefix}{name}` | {shown} | {_range(field)} | {meaning} |"
    for name, default in defaults.items():
        if name in fields and isinstance(default, dict):
            yield f"\nDefault of `{prefix}{name}`; a file that changes it gives all of it:\n"
            yield f"```yaml\n{yaml.safe_dump(default, sort_keys=False, default_flow_style=None, width=110)}```"


def _range(field: FieldInfo) -> str:
    """What a value may be: its choices, else its kind and limits."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{one.value}`" for one in kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in signs.items()
        if hasattr(limit, name)
    ]
    return " ".join([_kind(kind), ", ".join(limits)]).strip()


def _kind(kind: Any) -> str:
    words = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    if kind in words:
        return words[kind]
    if get_origin(kind) in (Union, UnionType):  # of one kind and None; a dict or None is a table
        (kind,) = (one for one in get_args(kind) if one is not type(None))
        return _kind(kind)
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        return f"{len(inner)} {words[inner[0]]}s"
    return "table by state"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
