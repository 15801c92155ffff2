"""What every page of ours is made of: one style, one heading, tables. It opens from disk, prints,
fits a phone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from html import escape

from monai_ich.core.labels import Subtype, label_of

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --note: #b26a00; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p { max-width: 46rem; margin: .5rem 0; }
.status { border-left: .3rem solid var(--note); padding: .4rem .8rem; background: #b26a0018; }
.headline { font-size: 1.2rem; font-weight: 600; margin: 1rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 20rem; }
table.wide { width: 100%; min-width: 44rem; }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody th { font-weight: normal; } tbody th a { white-space: nowrap; } td small { opacity: .8; }
img, svg { max-width: 100%; height: auto; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border: 1px solid #8888;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
figure { margin: 1rem 0; } .pictures figure { margin: 0; } figcaption { font-size: .9rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
.bars { fill: #4a7fb5; } .bars text { fill: currentColor; font-size: 12px; }
.pictures svg, .wide img { display: block; width: 100%; background: #000; }
button, select { font: inherit; padding: .3rem .8rem; }
:focus-visible { outline: .2rem solid #4a90d9; outline-offset: .1rem; }
details { margin: .5rem 0; } pre { white-space: pre-wrap; font-size: .75rem; }
@media screen and (max-width: 40rem) {
  table.wide { min-width: 0; }
  .wide thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .wide tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .wide tbody th, .wide td, .wide td.n { display: inline-block; padding: 0 1rem 0 0; border: 0; text-align: left; }
  .wide tbody th { font-weight: 600; } .wide td:empty { display: none; }
  .wide td::before { content: attr(data-label) " "; opacity: .8; font-size: .9rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .screen, button { display: none !important; }
  @page { margin: 15mm 15mm 25mm; }
  .scroll { overflow: visible; } table.wide { min-width: 0; }
  h2 { break-after: avoid; } figure, tr { break-inside: avoid; }
  .pictures { grid-template-columns: repeat(3, 1fr); }
}
"""


def as_page(title: str, parts: Iterable[str], *, on_each_sheet: str = "") -> str:
    """A whole page: one heading, one style; `parts` are HTML, `on_each_sheet` is text that stands
    in the lower margin of each printed sheet.
    """
    title, style = escape(title), _STYLE
    if on_each_sheet:  # in the margin's own box; a fixed element would cover what is printed
        text = "".join(c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in on_each_sheet)
        style += f'@page {{ @bottom-left {{ content: "{text}"; font: 8pt sans-serif; }} }}\n'
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, '
        f'initial-scale=1">\n<title>{title}</title>\n'
        '<link rel="icon" '
        f'href="data:,">\n<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n'
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def swatch(value: Subtype) -> str:
    """A square in the label's color."""
    return f'<span class=swatch style="background:rgb{label_of(value).color}"></span>'


def as_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Container[int] = ()
) -> str:
    """A table; cells are HTML already, the first of a row is its heading; `numbers` are
    right-aligned columns.

    On a phone a table of more than three columns becomes a list: each cell with its column's name,
    a word, before it.
    """
    align = [" class=n" if n in numbers else "" for n in range(len(header))]
    head = "".join(f'<th scope="col"{a}>{cell}</th>' for a, cell in zip(align, header, strict=True))
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(
            f'<td{a} data-label="{name}">{cell}</td>'
            for a, name, cell in zip(align[1:], header[1:], row[1:], strict=True)
        )
        + "</tr>\n"
        for row in rows
    )
    wide = " class=wide" if len(header) > 3 else ""
    table = f"<table{wide}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    return f'<div class=scroll tabindex=0 role=region aria-label="Table: {header[0]}">{table}</div>'
