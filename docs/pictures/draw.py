#!/usr/bin/env python3
"""Draws pull.svg from pull.txt. `draw.py --check` fails when the picture is older than the text."""

import pathlib
import shlex
import sys
import xml.sax.saxutils

HERE = pathlib.Path(__file__).parent
WIDTH, BOX_WIDTH, BOX_HEIGHT = 880, 150, 44
COLUMNS, LINE_HEIGHT, ROW_GAP, TOP = (20, 350, 710), 104, 40, 44

STYLE = """
  .box { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.5 }
  .name { font: 600 15px sans-serif; fill: #24292f; text-anchor: middle }
  .title { font: 600 15px sans-serif; fill: #24292f }
  .label { font: 13px sans-serif; fill: #424a53; text-anchor: middle }
  .question { stroke: #57606a; stroke-width: 1.5; fill: none }
  .bytes { stroke: #1f883d; stroke-width: 6; fill: none }
  .head-question { fill: #57606a } .head-bytes { fill: #1f883d }
  @media (prefers-color-scheme: dark) {
    .box { fill: #161b22; stroke: #8b949e }
    .name, .title { fill: #e6edf3 }
    .label { fill: #b1bac4 }
    .question { stroke: #8b949e } .head-question { fill: #8b949e }
    .bytes { stroke: #3fb950 } .head-bytes { fill: #3fb950 }
  }
"""


def read(text):
    """Rows of titles, boxes and arrows, as pull.txt describes them."""
    rows, boxes, arrows = [], {}, []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        match words:
            case []:
                pass
            case ["row", title]:
                rows.append(title)
            case ["box", name, column, at, text]:
                x = COLUMNS[int(column)]
                y = TOP + int(at) * LINE_HEIGHT + (len(rows) - 1) * ROW_GAP
                boxes[name] = (x, y, text, len(rows) - 1)
            case ["arrow", start, end, kind, text]:
                arrows.append((start, end, kind, text))
            case _:
                sys.exit(f"pull.txt: cannot read: {line}")
    return rows, boxes, arrows


def ends(start, end):
    """The two ends of an arrow between two boxes, and where its label stands."""
    (ax, ay, *_), (bx, by, *_) = start, end
    if ay == by:
        y = ay + BOX_HEIGHT / 2
        a, b = ((ax + BOX_WIDTH, y), (bx, y)) if ax < bx else ((ax, y), (bx + BOX_WIDTH, y))
        return a, b, ((a[0] + b[0]) / 2, y - 10)
    if ax == bx:
        x = ax + BOX_WIDTH / 2
        a, b = ((x, ay + BOX_HEIGHT), (x, by)) if ay < by else ((x, ay), (x, by + BOX_HEIGHT))
        return a, b, (x + 62, (a[1] + b[1]) / 2 + 4)
    a = (ax + BOX_WIDTH, ay + BOX_HEIGHT / 2)
    b = (bx + BOX_WIDTH / 2, by + BOX_HEIGHT)
    return a, b, (a[0] + 130, a[1] + 20)


def draw(text):
    """The picture, as SVG."""
    rows, boxes, arrows = read(text)
    height = max(y for _, y, *_ in boxes.values()) + BOX_HEIGHT + 20
    escape = xml.sax.saxutils.escape
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape('. '.join(rows))}</title>",
        f"<style>{STYLE}</style>",
        "<defs>",
    ]
    for kind, size in (("question", 8), ("bytes", 3)):
        out.append(
            f'<marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="{size}" markerHeight="{size}"'
            f' orient="auto"><path d="M0,0 L10,5 L0,10 z" class="head-{kind}"/></marker>'
        )
    out.append("</defs>")
    for number, title in enumerate(rows):
        y = min(box[1] for box in boxes.values() if box[3] == number) - 18
        out.append(f'<text class="title" x="20" y="{y}">{escape(title)}</text>')
    for start, end, kind, label in arrows:
        (ax, ay), (bx, by), (lx, ly) = ends(boxes[start], boxes[end])
        out.append(f'<path class="{kind}" d="M{ax},{ay} L{bx},{by}" marker-end="url(#{kind})"/>')
        out.append(f'<text class="label" x="{lx}" y="{ly}">{escape(label)}</text>')
    for x, y, name, _ in boxes.values():
        out.append(f'<rect class="box" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8"/>')
        out.append(f'<text class="name" x="{x + BOX_WIDTH / 2}" y="{y + BOX_HEIGHT / 2 + 5}">{escape(name)}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    picture = draw((HERE / "pull.txt").read_text())
    path = HERE / "pull.svg"
    if "--check" in sys.argv[1:]:
        sys.exit(path.read_text() != picture and "pull.svg is older than pull.txt: run docs/pictures/draw.py")
    path.write_text(picture)


if __name__ == "__main__":
    main()
