"""``engage consent zone``: parts of the room in which nobody takes part."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from consent.registry import Registry
    from consent.zones import Zone


def zone(
    course: Annotated[str, typer.Argument(help="Name of a course on record.")],
    zone: Annotated[
        str | None,
        typer.Argument(
            help="x1,y1,x2,y2 or the corners 'x,y x,y x,y ...', as shares (0 to 1) of the picture from its top left."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it; the next free number by default.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the zone called --name back.")] = False,
) -> None:
    """Record a zone in which nobody takes part: heads there are covered, and nothing is made of the people."""
    from consent.errors import ConsentError
    from consent.registry import Registry
    from consent.zones import Zone

    if remove and (name is None or zone is not None):
        raise ConsentError("--remove takes one zone back by its name; give --name NAME, and no zone")
    if not remove and zone is None:
        raise ConsentError("no zone was given; give x1,y1,x2,y2 such as 0,0.6,0.25,1, or remove one with --remove")
    with Registry.open() as registry:
        if zone is None:
            assert name is not None
            new = registry.open_zone(course, name)
            typer.echo(f"Zone {name.strip()} of {course} {'is' if new else 'was already'} taken back.")
            return
        place = Zone.parse(zone)
        name = _free_name(registry, course, place) if name is None else name.strip()
        new = registry.close_zone(course, name, place)
    known = "" if new else " already"
    typer.echo(f"In zone {name} of {course} nobody takes part{known}: heads in {place} are covered.")


def _free_name(registry: Registry, course: str, place: Zone) -> str:
    """The name under which exactly this zone is on record, else the first number that is not taken."""
    from consent.policy import ZONE_PREFIX

    taken = {one.student.removeprefix(ZONE_PREFIX): one.zone for one in registry.opt_outs(course) if one.is_zone}
    same = [name for name, zone in taken.items() if zone == place]
    return same[0] if same else next(str(number) for number in count(1) if str(number) not in taken)
