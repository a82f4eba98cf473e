"""Places in the picture, as shares of its size: rectangles and polygons."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from consent.errors import ConsentError
from consent.given import quoted

HOW = "give x1,y1,x2,y2 such as 0.1,0.4,0.3,0.9, or the corners x,y x,y x,y in their order"

ON_EDGE = 1e-9
"""Share of the picture within which a point is on the edge; far below a pixel, far above rounding."""

MOST_POINTS = 200
"""Of a polygon; whether its edges cross is checked with each pair of them."""
LONGEST_SHOWN = 200

Point = tuple[float, float]
_Exact = tuple[Fraction, Fraction]


@dataclass(frozen=True, init=False)
class Zone:
    """A part of the frame, relative to its size: (0, 0) is top left, (1, 1) bottom right.

    Four numbers are an upright rectangle (left, top, right, bottom), six and more the corners of a polygon, ``x y``
    each, in their order around it. ``numbers`` is what is stored: ``Zone(*zone.numbers) == zone``.

    Raises:
        ConsentError: a number lies outside 0..1, the count fits neither, or the zone has no area or crosses itself.
    """

    numbers: tuple[float, ...]

    def __init__(self, *numbers: float) -> None:
        object.__setattr__(self, "numbers", numbers)
        if len(numbers) < 4 or len(numbers) % 2 or len(numbers) > 2 * MOST_POINTS:
            raise ConsentError(f"zone {self.shown}: {len(numbers)} numbers are no zone; {HOW}")
        if not all(0.0 <= value <= 1.0 for value in numbers):  # also refuses NaN
            raise ConsentError(
                f"zone {self.shown}: every number must lie between 0 and 1 (shares of the frame's size); {HOW}"
            )
        if len(numbers) == 4:
            x1, y1, x2, y2 = numbers
            if x1 >= x2 or y1 >= y2:
                raise ConsentError(
                    f"zone {self.shown}: has no area; give the top left corner first, then the bottom right,"
                    " such as 0.1,0.4,0.3,0.9"
                )
        else:
            _check_polygon(self.shown, self.points)

    def __str__(self) -> str:
        if len(self.numbers) == 4:
            return ",".join(f"{value:g}" for value in self.numbers)
        return " ".join(",".join(f"{value:g}" for value in self.numbers[at : at + 2]) for at in self._starts)

    @property
    def shown(self) -> str:
        """For a sentence: cut where it is long."""
        text = str(self) if len(self.numbers) <= 2 * MOST_POINTS else f"of {len(self.numbers)} numbers"
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"

    @property
    def _starts(self) -> range:
        return range(0, len(self.numbers), 2)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The corners in their order around the zone, also of a rectangle."""
        if len(self.numbers) == 4:
            x1, y1, x2, y2 = self.numbers
            return (x1, y1), (x2, y1), (x2, y2), (x1, y2)
        return tuple((self.numbers[at], self.numbers[at + 1]) for at in self._starts)

    @cached_property
    def corners(self) -> tuple[float, float, float, float]:
        """``(x1, y1, x2, y2)`` of the upright rectangle around the zone, shares of the frame's width and height."""
        across, down = zip(*self.points, strict=True)
        return min(across), min(down), max(across), max(down)

    @classmethod
    def parse(cls, text: str) -> Zone:
        """Read ``"x1,y1,x2,y2"`` or ``"x,y x,y x,y ..."`` as written on the command line.

        Raises:
            ConsentError: neither four numbers nor points, or not a zone.
        """
        parts = re.sub(r"\s*,\s*", ",", text.strip()).split()
        try:
            pairs = [[float(number) for number in part.split(",")] for part in parts]
        except ValueError:
            pairs = []
        if len(pairs) == 1 and len(pairs[0]) == 4:
            return cls(*pairs[0])
        if len(pairs) < 3 or any(len(pair) != 2 for pair in pairs):
            raise ConsentError(f"zone {quoted(text)}: is neither four numbers nor three points or more; {HOW}")
        return cls.polygon([(x, y) for x, y in pairs])

    @classmethod
    def polygon(cls, points: list[Point]) -> Zone:
        """The zone with these corners; the first may be said again at the end.

        Raises:
            ConsentError: fewer than three, or not a zone.
        """
        if len(points) > 1 and points[0] == points[-1]:
            points = points[:-1]
        if len(points) < 3:
            raise ConsentError(f"a polygon of {len(points)} points has no area; {HOW}")
        return cls(*(number for point in points for number in point))

    def contains(self, x: float, y: float) -> bool:
        """Whether the point, in the same relative coordinates, lies inside or on the edge."""
        x1, y1, x2, y2 = self.corners
        if not (x1 - ON_EDGE <= x <= x2 + ON_EDGE and y1 - ON_EDGE <= y <= y2 + ON_EDGE):
            return False
        points = self.points
        inside = False
        for (ax, ay), (bx, by) in zip(points, (*points[1:], points[0]), strict=True):
            if _on_edge(x - ax, y - ay, bx - ax, by - ay):
                return True
            if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
                inside = not inside  # a ray to the right crosses this edge
        return inside


def _on_edge(x: float, y: float, along_x: float, along_y: float) -> bool:
    """Whether the point is within ``ON_EDGE`` of the edge from (0, 0) along the vector."""
    square = along_x * along_x + along_y * along_y
    share = min(max((x * along_x + y * along_y) / square, 0.0), 1.0) if square else 0.0
    return (x - share * along_x) ** 2 + (y - share * along_y) ** 2 <= ON_EDGE**2


def _check_polygon(name: str, points: tuple[Point, ...]) -> None:
    """Refuse a polygon without area or one that crosses or touches itself; in exact arithmetic.

    Raises:
        ConsentError: it is one.
    """
    exact = [(Fraction(x), Fraction(y)) for x, y in points]
    count = len(exact)
    edges = [(exact[i], exact[(i + 1) % count]) for i in range(count)]
    area = sum(ax * by - bx * ay for (ax, ay), (bx, by) in edges)
    for i, (start, end) in enumerate(edges):
        if start == end:
            raise ConsentError(f"zone {name}: names the point {points[i][0]:g},{points[i][1]:g} twice; {HOW}")
        after = edges[(i + 1) % count][1]
        back = _turn(start, end, after) == 0 and _between(end, start, after) is False
        others = (edges[j] for j in range(i + 2, count) if (j + 1) % count != i)
        if area and (back or any(_meet(start, end, *other) for other in others)):
            raise ConsentError(f"zone {name}: its edges cross or touch; give the corners in their order around it")
    if not area:
        raise ConsentError(f"zone {name}: has no area; {HOW}")


def _turn(a: _Exact, b: _Exact, c: _Exact) -> int:
    """1 or -1 for the side of the line from ``a`` to ``b`` on which ``c`` lies, 0 for on it."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (cross > 0) - (cross < 0)


def _between(point: _Exact, a: _Exact, b: _Exact) -> bool:
    """Whether a point on the line of ``a`` and ``b`` lies between them."""
    return all(min(a[axis], b[axis]) <= point[axis] <= max(a[axis], b[axis]) for axis in (0, 1))


def _meet(a: _Exact, b: _Exact, c: _Exact, d: _Exact) -> bool:
    """Whether two edges have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] != turns[1] and turns[2] != turns[3]:
        return True
    ends = ((c, a, b), (d, a, b), (a, c, d), (b, c, d))
    return any(turn == 0 and _between(*end) for turn, end in zip(turns, ends, strict=True))
