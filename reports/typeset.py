"""Blocks as PDF, set by Typst: as many pages as the content has, never more, and readable by a screen reader.

The PDFs keep to PDF/UA-1. That standard refuses letters which no font at hand can print; such a letter becomes a box.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typst

from reports.errors import ReportError
from reports.figures import FONT_FOLDER

TEMPLATE: Final = Path(__file__).parent / "templates" / "report.typ"

SIZES_PT: Final = (9.6, 9.2, 8.8, 8.4, 8.0, 7.6)
"""Sizes of type; the largest at which each part keeps to its page is taken."""

PAPERS: Final = {"a4": "a4", "letter": "us-letter"}
"""Our name -> Typst's."""

INSTEAD: Final = "□"
_UNPRINTABLE: Final = re.compile(r'the text `"(.+?)"` could not be displayed', re.DOTALL)
_ROUNDS: Final = 12


def pdf(content: Mapping[str, Any], paper: str) -> bytes:
    """The report as PDF.

    Raises:
        ReportError: unknown paper, or the content is too long for its pages.
    """
    check_paper(paper)
    given = {**content, "paper": PAPERS[paper], "short": content["title"][:60]}
    for size in SIZES_PT:
        compiler = _compiler({**given, "size": size})
        if int(json.loads(compiler.query("<pages>", field="value", one=True))) <= len(content["pages"]):
            return _printable({**given, "size": size})
    raise ReportError(f"the report of {content['title'][:60]!r} does not fit on {len(content['pages'])} pages")


def check_paper(paper: str) -> None:
    """Refuse a size of paper that is not known.

    Raises:
        ReportError: it is not.
    """
    if paper not in PAPERS:
        raise ReportError(f"paper {paper!r} is not known; choose from {', '.join(PAPERS)}")


def _printable(given: dict[str, Any]) -> bytes:
    """Compile; letters that no font has are replaced, first those named, in the end all beyond Latin ones."""
    for attempt in range(_ROUNDS):
        try:
            made = _compiler(given).compile(format="pdf", pdf_standards="ua-1")
        except typst.TypstError as error:
            if (found := _UNPRINTABLE.search(str(error))) is None or attempt == _ROUNDS - 1:
                raise
            named = set(re.sub(r"\\u\{(\w+)\}", lambda code: chr(int(code[1], 16)), found[1]))
            last = attempt >= _ROUNDS - 3
            given = _replaced(given, lambda char, named=named, last=last: char in named or (last and ord(char) > 0x2FF))
        else:
            assert isinstance(made, bytes)  # a list for pictures only, None only with a place to write to
            return made
    raise AssertionError("the last round returns or raises")


def _replaced(value: Any, gone: Any) -> Any:
    if isinstance(value, str):
        return "".join(INSTEAD if gone(char) else char for char in value)
    if isinstance(value, Mapping):
        return {name: _replaced(one, gone) for name, one in value.items()}
    return [_replaced(one, gone) for one in value] if isinstance(value, list) else value


def _compiler(content: Mapping[str, Any]) -> typst.Compiler:
    return typst.Compiler(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=[FONT_FOLDER],
        sys_inputs={"content": json.dumps(content, ensure_ascii=False, allow_nan=False)},
    )
