"""The room of a course as a picture to choose seats in: blurred, everybody covered, and who said what."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

import altair as alt
import pandas as pd

from consent.policy import EVERY_RUN, OptOut
from consent.students import Student
from consent.zones import Zone
from dashboard import texts, theme
from dashboard.texts import consent as words
from models.states import PALETTE, State
from pipeline.seat_plan import read_plan
from pipeline.session import Session, SessionError

if TYPE_CHECKING:
    import numpy as np

WIDTH_PX: Final = 1100
"""Of the picture; more would show more of people than is needed to find a seat."""
BLUR_PX: Final = 5.0
"""Radius of the blur over the whole picture: tags and states in it cannot be read, seats and rows still show."""
LIGHTER: Final = 0.45
"""Share of white in the picture, so that the seats drawn on it stand out."""
LONGEST: Final = 14
"""Characters of a pseudonym in the picture."""
MOMENTS: Final = (0.5, 0.3, 0.7)
"""Shares of the lecture at which the picture may be taken: the next where a face could not be covered."""


class Standing(str, Enum):
    """What somebody in a seat has said."""

    NO = "no"
    YES = "yes"
    SILENT = "silent"
    FREE = "free"
    ZONE = "zone"


COLOURS: Final = {
    Standing.NO: theme.UNUSUAL,
    Standing.YES: PALETTE[State.ATTENTIVE],
    Standing.SILENT: theme.INK,
    Standing.FREE: "#66788A",
    Standing.ZONE: theme.UNUSUAL,
}


@dataclass(frozen=True)
class Place:
    """A student, a seat nobody is on record for, or a zone in which nobody takes part.

    Attributes:
        key: tells places apart.
        standing: what was said.
        zone: where; ``None`` where it is not known.
        student: pseudonym, where one is on record.
        number: in the session that the picture is of.
    """

    key: str
    standing: Standing
    zone: Zone | None
    student: str | None = None
    number: int | None = None

    def __str__(self) -> str:
        if self.standing is Standing.ZONE:
            return words.ZONE.format(name=texts.shortened(self.key.partition(" ")[2].partition(" ")[2]))
        if self.number is not None:
            seat = words.SEAT.format(number=self.number)
        else:
            seat = "" if self.zone is not None else words.SEAT_UNKNOWN
        parts = [texts.shortened(self.student or ""), seat, words.STANDINGS[self.standing.value]]
        return " · ".join(filter(None, parts))


def places(students: Sequence[Student], opt_outs: Sequence[OptOut], session: Session | None) -> list[Place]:
    """Everybody on record, then the seats of a session that none of them sits in.

    A student on record has the number of the seat whose middle is in the student's zone.

    Raises:
        SessionError: the plan of the session's seats is damaged.
    """
    plan = read_plan(session) if session is not None else None
    seats = {one.student: Zone.polygon(one.polygon) for one in plan.seats if one.student} if plan is not None else {}
    said_no = {one.student: one.zone for one in opt_outs}
    known = {one.pseudonym: one for one in students}
    found = []
    for name in dict.fromkeys([*known, *said_no]):
        zone = said_no.get(name) or (known[name].seat if name in known else None)
        if OptOut(name).is_zone:
            found.append(Place(f"student {name}", Standing.ZONE, zone))
            continue
        standing = Standing.NO if name in said_no else _standing(known[name])
        number = next((n for n, seat in seats.items() if zone is not None and zone.contains(*_middle(seat))), None)
        found.append(Place(f"student {name}", standing, zone, name, number))
    taken = {one.number for one in found}
    free = [Place(f"seat {n}", Standing.FREE, seat, None, n) for n, seat in seats.items() if n not in taken]
    return found + free


def _standing(student: Student) -> Standing:
    granted = {one.purpose for one in student.decisions if one.granted}
    return Standing.YES if granted >= set(EVERY_RUN) else Standing.SILENT


def _middle(zone: Zone) -> tuple[float, float]:
    x1, y1, x2, y2 = zone.corners
    return (x1 + x2) / 2, (y1 + y2) / 2


def _area(zone: Zone | None) -> float:
    """Of the rectangle around it; the small ones are drawn last, so that each can be clicked."""
    x1, y1, x2, y2 = (0.0, 0.0, 0.0, 0.0) if zone is None else zone.corners
    return (x2 - x1) * (y2 - y1)


def picture(session: Session) -> bytes | None:
    """The room as JPEG, everybody covered; ``None`` where there is no video or a face could not be covered."""
    from pipeline.stills import stills  # brings the renderer and the face detectors along

    moved = session.manifest.camera is not None and session.manifest.camera.moved
    for share in (0.0,) if moved else MOMENTS:  # seats are places in the first picture
        try:
            found = stills(session, [share * session.manifest.duration], always_covered=True)
        except SessionError:
            return None
        if found and found[0].covered:
            return _faint(found[0].image_bgr)
    return None


def _faint(image_bgr: np.ndarray) -> bytes:
    """``image_bgr`` (h, w, 3) small, blurred and light."""
    import cv2
    import numpy as np

    height, width = image_bgr.shape[:2]
    scale = min(1.0, WIDTH_PX / width)
    small = cv2.resize(image_bgr, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), BLUR_PX)
    light = cv2.addWeighted(blurred, 1 - LIGHTER, np.full_like(blurred, 255), LIGHTER, 0)
    _, coded = cv2.imencode(".jpg", light, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return coded.tobytes()


def chart(shown: Sequence[Place], image: bytes | None, aspect: float, chosen: str | None, width: int) -> alt.LayerChart:
    """The seats over the picture; a click on one selects its key in the parameter ``seat``.

    Args:
        shown: those without a place are left out.
        image: JPEG behind the seats.
        aspect: height over width of the lecture's picture.
        chosen: key of the place to stand out.
        width: px.
    """
    rows = [
        {
            "place": one.key,
            "label": _label(one),
            "told": str(one),
            "colour": COLOURS[one.standing],
            "weight": 4 if one.key == chosen else 2,
            "opacity": 0.45 if one.key == chosen else 0.3 if one.standing in (Standing.NO, Standing.ZONE) else 0.08,
            **dict(zip(("x1", "y1", "x2", "y2"), one.zone.corners, strict=True)),
            "middle": _middle(one.zone)[0],
        }
        for one in sorted(shown, key=lambda one: (one.key == chosen, -_area(one.zone)))
        if one.zone is not None
    ]
    columns = ["place", "label", "told", "colour", "weight", "opacity", "x1", "y1", "x2", "y2", "middle"]
    table = pd.DataFrame(rows, columns=columns)
    x = alt.X("x1:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    y = alt.Y("y1:Q", scale=alt.Scale(domain=[1, 0], nice=False), axis=None)
    seats = (
        alt.Chart(table)
        .mark_rect(cursor="pointer", cornerRadius=4)
        .encode(
            x=x,
            y=y,
            x2="x2:Q",
            y2="y2:Q",
            fill=alt.Fill("colour:N", scale=None),
            stroke=alt.Stroke("colour:N", scale=None),
            strokeWidth=alt.StrokeWidth("weight:Q", scale=None),
            fillOpacity=alt.FillOpacity("opacity:Q", scale=None),
            tooltip=alt.Tooltip("told:N", title=" "),
        )
        .add_params(alt.selection_point("seat", fields=["place"], on="click", empty=False))
    )
    text = (
        alt.Chart(table)
        .mark_text(fontSize=13, fontWeight="bold", baseline="top", dy=3)
        .encode(
            x=alt.X("middle:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None),
            y=alt.Y("y2:Q", scale=alt.Scale(domain=[1, 0], nice=False), axis=None),
            text="label:N",
        )
    )
    halo = text.encode(color=alt.value("white"), stroke=alt.value("white"), strokeWidth=alt.value(3))
    label = text.encode(color=alt.Color("colour:N", scale=None))
    layers: list[alt.Chart] = [seats, halo, label]
    if image is not None:
        url = "data:image/jpeg;base64," + base64.b64encode(image).decode()
        behind = alt.Chart(pd.DataFrame({"x": [0.5], "y": [0.5], "url": [url]}))
        layers.insert(
            0,
            behind.mark_image(width=width, height=round(width * aspect), aspect=False).encode(
                x=alt.X("x:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None),
                y=alt.Y("y:Q", scale=alt.Scale(domain=[1, 0], nice=False), axis=None),
                url="url:N",
            ),
        )
    return alt.layer(*layers).properties(width=width, height=round(width * aspect))


def _label(place: Place) -> str:
    if place.standing is Standing.FREE:
        return str(place.number)
    name = texts.shortened(place.student or "", LONGEST)
    return " ".join(filter(None, [name, words.SHORT[place.standing.value]]))
