"""Draws what a terminal shows as SVG: terminal_svg.py COLUMNS < text with SGR sequences.

Light and dark follow the reader's setting. Where motion is welcome, commands appear one after the other.
"""

import re
import sys
from html import escape

# Text, muted text, background, frame, then red, green, yellow, blue, magenta, cyan: light and dark.
LIGHT = ["#1f2328", "#656d76", "#ffffff", "#d0d7de", "#cf222e", "#1a7f37", "#9a6700", "#0969da", "#8250df", "#1b7c83"]
DARK = ["#e6edf3", "#8b949e", "#0d1117", "#30363d", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf"]
NAMES = ["text", "muted", "back", "frame", "red", "green", "yellow", "blue", "magenta", "cyan"]
WIDTH, HEIGHT, EDGE, SECONDS = 8.43, 19, 16, 1.6
SGR = re.compile(r"\x1b\[([0-9;]*)m|\x1b[()][A-Z0-9]|\x0f|\x0e")


def spans(line, state):
    """Yields the classes and text of each run of a line; `state` goes on to the next line."""
    at = 0
    for match in list(SGR.finditer(line)) + [None]:
        end = match.start() if match else len(line)
        if line[at:end]:
            yield " ".join(sorted(state)), line[at:end]
        if not match:
            return
        at = match.end()
        for code in (match[1] or "0").split(";") if match[1] is not None else []:
            number = int(code or 0)
            if number in (0, 39):
                state -= set(state) if number == 0 else set(NAMES)
            elif number == 22:
                state -= {"bold", "muted"}
            elif number in (1, 2):
                state.add("bold" if number == 1 else "muted")
            elif 31 <= number <= 36 or 91 <= number <= 96:
                state -= set(NAMES[4:])
                state.add(NAMES[4 + number % 10 - 1])
            elif number in (37, 90, 97):
                state.add("muted" if number == 90 else "text")


def main(columns):
    lines = sys.stdin.read().rstrip().splitlines()
    if lines and SGR.sub("", lines[-1]).strip() == "$":
        lines.pop()
    while lines and not SGR.sub("", lines[-1]).strip():
        lines.pop()
    width, height = round(columns * WIDTH + 2 * EDGE), len(lines) * HEIGHT + 2 * EDGE
    colours = lambda values: "".join(f"--{name}:{value};" for name, value in zip(NAMES, values))
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">')
    print("<title>The daily loop in a terminal</title><style>")
    # Renderers without variables take the plain colours that stand before.
    print(f"svg{{{colours(LIGHT)}}}")
    print(f"@media (prefers-color-scheme:dark){{svg{{{colours(DARK)}}}}}")
    print("text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}")
    for name, value in zip(NAMES, LIGHT):
        print(f".{name}{{fill:{value};fill:var(--{name})}}")
    print(".bold{font-weight:bold}.box{stroke:#d0d7de;stroke:var(--frame)}")
    print("@keyframes show{from{opacity:0}to{opacity:1}}")
    print("@media (prefers-reduced-motion:no-preference){g{animation:show .2s both}}</style>")
    print(f'<rect class="back box" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>')
    state, group = set(), 0
    for row, line in enumerate(lines):
        if SGR.sub("", line).startswith("$ "):
            print(("</g>" if group else "") + f'<g style="animation-delay:{group * SECONDS:.1f}s">')
            group += 1
        runs = "".join(f'<tspan class="{names or "text"}">{escape(text)}</tspan>' for names, text in spans(line, state))
        print(f'<text x="{EDGE}" y="{EDGE + row * HEIGHT + 14}" xml:space="preserve">{runs}</text>')
    print(("</g>" if group else "") + "</svg>")


main(int(sys.argv[1]))
