"""What a report is made of, before it is PDF or HTML: plain blocks of words, numbers and figures.

Names of lectures, courses and files come from outside. They reach the page as text only, on one line, cut to a length,
without marks that turn the direction of what follows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from reports.intervals import Interval

Block = dict[str, Any]

LONGEST_WORD: Final = 20
SHORT_CLIP_SECONDS: Final = 180.0
"""Below this, times are given in seconds: minutes would read 0.1, 0.2."""


def heading(text: str, note: str = "") -> Block:
    """The title of what follows, with a remark beside it."""
    return {"kind": "heading", "text": text, "note": note}


def text(words: str, quiet: bool = False) -> Block:
    """A paragraph."""
    return {"kind": "text", "text": words, "quiet": quiet}


def points(items: Sequence[str]) -> Block:
    """A list."""
    return {"kind": "points", "items": list(items)}


def numbers(pairs: Sequence[tuple[str, str]]) -> Block:
    """Large numbers in a row, each over what it is."""
    return {"kind": "numbers", "pairs": [list(pair) for pair in pairs]}


def facts(pairs: Sequence[tuple[str, str]]) -> Block:
    """Names and values in two columns."""
    return {"kind": "facts", "pairs": [list(pair) for pair in pairs]}


def figure(svg: str, alt: str) -> Block:
    """A figure with what it shows in words, for those who cannot see it."""
    return {"kind": "figure", "svg": svg, "alt": alt}


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, colours: Sequence[str] = (), total: bool = False
) -> Block:
    """A table whose first ``left`` columns are words and the others numbers; ``colours``: a chip before each row."""
    return {
        "kind": "table",
        "head": list(head),
        "rows": [list(row) for row in rows],
        "left": left,
        "colours": list(colours),
        "total": total,
    }


def columns(*parts: Sequence[Block], shares: Sequence[float]) -> Block:
    """Blocks side by side, in these shares of the width."""
    return {"kind": "columns", "parts": [list(part) for part in parts], "shares": list(shares)}


def words(raw: str | None, longest: int) -> str:
    """``raw`` on one line, cut to ``longest`` characters; very long words get places to break."""
    kept = (char for char in raw or "" if char.isspace() or _prints(char))
    line = " ".join("".join(kept).split())
    if len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    return " ".join("\u200b".join(_pieces(word)) for word in line.split(" "))


def day_in_words(day: date | str) -> str:
    """``14 March 2026``, of a day or of an ISO time; what is neither is given back."""
    if isinstance(day, str):
        try:
            return day_in_words(datetime.fromisoformat(day.replace("Z", "+00:00")))  # 3.10 reads no Z
        except ValueError:
            return words(day, 20)
    return f"{day.day} {day:%B %Y}"


def duration_in_words(seconds: float) -> str:
    """``40 s``, ``1 min 30 s``, ``50 min``, ``1 h 30 min``."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if whole < 60:
        return f"{whole} s"
    if whole < SHORT_CLIP_SECONDS:
        return f"{minutes} min {whole % 60} s" if whole % 60 else f"{minutes} min"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def clock(seconds: float) -> str:
    """``83.4`` as ``1:23``, ``3723`` as ``1:02:03``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def number(value: float | None, withheld: bool = False) -> str:
    """An index with two digits; a dash where there is none, and the word where it is withheld."""
    if value is None or value != value:
        return "withheld" if withheld else "–"
    return f"{value:.2f}"


def span(low: float, high: float) -> str:
    """An interval, ``0.61 to 0.70``; a dash where it is not known."""
    return "–" if low != low or high != high else f"{low:.2f} to {high:.2f}"


def percent(share: float | None) -> str:
    """A share in percent; a dash where there is none."""
    return "–" if share is None or share != share else f"{share:.0%}"


def _prints(char: str) -> bool:
    """Not a control, and not an invisible mark that turns the direction of the text after it."""
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs") or char in "\u200c\u200d"


def _pieces(word: str) -> Iterable[str]:
    return (word[at : at + LONGEST_WORD] for at in range(0, len(word), LONGEST_WORD))


def signed(value: float) -> str:
    """A difference with its sign, ``–`` where it is not known."""
    if value != value:
        return "–"
    shown = f"{value:+.2f}"
    return "0.00" if float(shown) == 0 else shown.replace("-", "−")


def signed_span(interval: Interval) -> str:
    """The interval of a difference, ``–`` where it is not known."""
    if interval.low != interval.low or interval.high != interval.high:
        return "–"
    return f"{signed(interval.low)} to {signed(interval.high)}"
