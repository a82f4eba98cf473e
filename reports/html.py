"""Blocks as one HTML file that needs nothing else: figures and style are in it, and no script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final
from zlib import crc32

from reports.blocks import Block

STYLE: Final = """
:root { --ink: #1f2933; --quiet: #56616d; --line: #d5d9df }
body { font: 16px/1.45 Georgia, "Libertinus Serif", serif; color: var(--ink); margin: 0 auto; padding: 2rem 1rem 4rem;
  max-width: 62rem }
h1 { font-size: 1.9rem; line-height: 1.15; margin: 0.2rem 0; overflow-wrap: anywhere }
h2 { font-size: 1.12rem; margin: 1.6rem 0 0.3rem }
h2 small, .quiet, figcaption { color: var(--quiet); font-size: 0.88rem; font-weight: normal }
.kicker { color: var(--quiet); letter-spacing: 0.06em; text-transform: uppercase; font-size: 0.85rem }
section + section { border-top: 1px solid var(--line); margin-top: 2.5rem }
.numbers { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; border: solid var(--line); border-width: 1px 0;
  padding: 0.6rem 0; margin: 1rem 0 }
.numbers b { display: block; font-size: 1.5rem; font-weight: normal }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 0 2.5rem }
figure { margin: 0.4rem 0 } svg { width: 100%; height: auto }
table { border-collapse: collapse; width: 100%; font-size: 0.94rem; font-variant-numeric: lining-nums tabular-nums }
th { color: var(--quiet); font-weight: normal; font-size: 0.85rem; border-bottom: 1px solid var(--line) }
th, td { padding: 0.15rem 0.5rem 0.15rem 0; text-align: right; vertical-align: top; overflow-wrap: anywhere }
.l { text-align: left } tr.total td { border-top: 1px solid var(--line) }
.chip { display: inline-block; width: 0.6rem; height: 0.6rem; margin-right: 0.4rem }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: 0.25rem 1rem; font-size: 0.95rem }
dt { color: var(--quiet) } dd { margin: 0; overflow-wrap: anywhere }
@media print { body { font-size: 10pt; max-width: none; padding: 0 } }
"""
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(content: Mapping[str, Any]) -> str:
    """The report as HTML; see ``reports.blocks`` for what it is made of."""
    title = escape(content["title"])
    sections = "\n".join(f"<section>{''.join(map(_block, blocks))}</section>" for blocks in content["pages"])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(content["kicker"])}: {title}</title>
<style>{STYLE}</style>
</head>
<body>
<header><div class="kicker">{escape(content["kicker"])}</div><h1>{title}</h1>
<div class="quiet">{escape("  ·  ".join(content["subtitle"]))}</div></header>
<main>
{sections}
</main>
</body>
</html>
"""


def _block(one: Block) -> str:
    return _KINDS[one["kind"]](one)


def _heading(one: Block) -> str:
    note = f" <small>{escape(one['note'])}</small>" if one["note"] else ""
    return f"<h2>{escape(one['text'])}{note}</h2>"


def _text(one: Block) -> str:
    return f"<p{' class=quiet' if one['quiet'] else ''}>{escape(one['text'])}</p>"


def _points(one: Block) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in one["items"]) + "</ul>"


def _numbers(one: Block) -> str:
    shown = (
        f"<div><b>{escape(value)}</b><span class=quiet>{escape(name)}</span></div>" for value, name in one["pairs"]
    )
    return f"<div class=numbers>{''.join(shown)}</div>"


def _facts(one: Block) -> str:
    return (
        "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in one["pairs"]) + "</dl>"
    )


def _figure(one: Block) -> str:
    # matplotlib's SVG begins with an XML declaration, which HTML does not know; names must differ between figures
    svg = one["svg"][one["svg"].index("<svg") :]
    mark = f"f{crc32(svg.encode()):x}-"
    for name in ("figure_", "axes_", "patch_", "line2d_", "matplotlib.axis_", "text_", "xtick_", "ytick_", "legend_"):
        svg = svg.replace(f'id="{name}', f'id="{mark}{name}')
    return f'<figure role="img" aria-label="{escape(one["alt"])}">{svg}</figure>'


def _table(one: Block) -> str:
    def row(cells: list[str], tag: str, at: int = -1) -> str:
        chip = (
            f'<span class=chip style="background:{one["colours"][at]}"></span>' if 0 <= at < len(one["colours"]) else ""
        )
        made = [
            f"<{tag}{' class=l' if place < one['left'] else ''}>{chip if place == 0 else ''}{escape(cell)}</{tag}>"
            for place, cell in enumerate(cells)
        ]
        last = one["total"] and at == len(one["rows"]) - 1
        return f"<tr{' class=total' if last else ''}>{''.join(made)}</tr>"

    body = "".join(row(cells, "td", at) for at, cells in enumerate(one["rows"]))
    return f"<table><thead>{row(one['head'], 'th')}</thead><tbody>{body}</tbody></table>"


def _columns(one: Block) -> str:
    parts = (f"<div>{''.join(map(_block, part))}</div>" for part in one["parts"])
    return f"<div class=columns>{''.join(parts)}</div>"


_KINDS: Final[Mapping[str, Callable[[Block], str]]] = {
    "heading": _heading,
    "text": _text,
    "points": _points,
    "numbers": _numbers,
    "facts": _facts,
    "figure": _figure,
    "table": _table,
    "columns": _columns,
}
