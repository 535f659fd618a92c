"""The one figure style of the book: Matplotlib figures as SVG that belongs to the page.

A figure carries no background and no ink of its own: text and axes take the page's text colour
(``currentColor``), the grid a CSS variable, so one SVG reads well in light, in dark and on paper.
Colours of data come from :data:`PALETTE`, whose members keep a contrast of at least 3:1 both on
white and on near-black; series also differ by dash and marker, never by colour alone.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import sys
from collections import Counter
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

__all__ = ["PALETTE", "figure_svg", "legend_above", "new_figure", "show"]

# Okabe and Ito's hues. Their sky blue, orange and yellow are too light on white, so the fifth and
# sixth colours are darker relatives; the last is the neutral for references and floors.
PALETTE = {
    "blue": "#1f78b4",
    "vermilion": "#d55e00",
    "green": "#00906a",
    "purple": "#b8629a",
    "amber": "#a87900",
    "cyan": "#0090b0",
    "grey": "#7a7f87",
}
COLOURS = tuple(PALETTE.values())
DASHES = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)), (0, (9, 2)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

WIDTHS = {"narrow": 4.2, "column": 6.2, "wide": 8.2}  # inches; a column is about 600 CSS pixels

# Two colours that stand for the page's ink and its grid until the SVG is written.
INK = "#0a0b0c"
GRID = "#0d0e0f"

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": 10.5,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS, linestyle=DASHES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.edgecolor": "none",
    "figure.facecolor": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "image.interpolation": "none",
    "legend.fontsize": 10,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.9,
    "lines.markersize": 4.5,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 9.5,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": INK,
    "ytick.labelsize": 9.5,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}

# Type is set a little larger on a phone, where the whole drawing shrinks to the screen.
SHEET = (
    ".llmlab-figure{display:block;width:100%;height:auto;margin:.5rem auto;overflow:visible;"
    "background:none;stroke-linejoin:round;stroke-linecap:butt}"
    "@media(max-width:520px){.llmlab-wide{--llmlab-type:1.22}}"
    "@media print{.llmlab-figure{color:#000;break-inside:avoid}}"
)

_shown: Counter[str] = Counter()


def new_figure(
    width: str | float = "column", height: float = 3.1, columns: int = 1, rows: int = 1, **subplots
) -> tuple[Figure, Axes]:
    """A figure in the book's style and its axes, as ``plt.subplots`` returns them.

    ``width`` is "narrow", "column", "wide" or inches, ``height`` is inches; further keywords go to
    ``Figure.subplots`` (``sharey=True``). The style is set for the whole process, because
    Matplotlib reads it again when you add a legend or a text later.
    """
    if isinstance(width, str):
        if width not in WIDTHS:
            raise ValueError(f"width must be one of {', '.join(WIDTHS)} or inches: got {width!r}.")
        width = WIDTHS[width]
    if width <= 0 or height <= 0:
        raise ValueError(f"width and height must be positive: got {width} x {height} inches.")
    matplotlib.rcParams.update(STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def legend_above(axes: Axes) -> None:
    """Put the legend above the axes, flush left, where it hides no data; call it after the title.

    It takes as many rows as its words need, and the title, if there is one, moves up.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    columns = _legend_columns(labels, axes.figure.get_figwidth() / axes.get_gridspec().ncols - 0.7)
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        borderaxespad=0.4,
        borderpad=0,
        columnspacing=1.6,
    )
    title = axes.get_title(loc="left")
    if title:
        rows = -(-len(labels) // columns)
        axes.set_title(title, pad=STYLE["axes.titlepad"] + 15 * rows)


def _legend_columns(labels: Sequence[str], room: float) -> int:
    """The most columns whose labels fit into ``room`` inches; Matplotlib fills column by column."""
    for columns in range(len(labels), 1, -1):
        rows = -(-len(labels) // columns)
        longest = [max(map(len, labels[at : at + rows])) for at in range(0, len(labels), rows)]
        # A letter is about 0.085 inches wide, a handle with its gap 0.55.
        if sum(0.085 * letters + 0.55 for letters in longest) <= room:
            return columns
    return 1


def plain_log(axes: Axes, which: str, ticks: Sequence[float] = ()) -> None:
    """Make axis "x" or "y" logarithmic with plain numbers at 1, 2 and 5, or at ``ticks``."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(ticks) if len(ticks) else LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _position: int | None = None) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:g}"


def figure_svg(figure: Figure, alt: str) -> str:
    """The figure as a self-contained, responsive ``<svg>`` element with ``alt`` as its name.

    The same figure and text give the same bytes the first time in a process; if it is written
    again, only its ids change, so that two copies can stand on one page.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say in words what the figure shows: got {alt!r}.")
    _fade_white(figure)
    file = io.StringIO()
    digest = hashlib.sha256(alt.encode()).hexdigest()[:8]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": digest}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    drawing = file.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = _page_fonts(_page_colours(_smaller(drawing)))
    return _own_ids(_responsive(drawing, alt)).strip()


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Display ``figure`` under the cell as SVG that follows the page; ``alt`` is read aloud.

    ``alt`` says what a reader sees ("Loss falls from 4.2 to 1.6 in 300 steps"), not what it is.
    ``caption`` stands under the figure: what was drawn, and what to notice. The site numbers it.
    """
    from IPython.display import display

    drawing = figure_svg(figure, alt)
    if "matplotlib.pyplot" in sys.modules:  # a figure made by pyplot would be drawn twice
        sys.modules["matplotlib.pyplot"].close(figure)
    if caption:
        words = f"<figcaption>{html.escape(caption)}</figcaption>"
        drawing = f'<figure class="llmlab-captioned">{drawing}{words}</figure>'
    text = f"[figure: {alt}]" + (f" {caption}" if caption else "")
    display({"text/html": drawing, "text/plain": text}, raw=True)


def _fade_white(figure: Figure) -> None:
    """Let heat maps that fade into white, such as "Blues", fade into the page instead.

    Each colour becomes the most transparent one that looks the same on white.
    """
    for image in (image for axes in figure.axes for image in axes.images):
        colours = image.cmap(np.linspace(0, 1, image.cmap.N))  # (N, 4)
        white = colours[:, :3].min(axis=1)
        if image.get_array().ndim != 2 or colours[:, 3].min() < 1 or white.max() < 0.9:
            continue
        alpha = np.maximum(1 - white, 1e-6)[:, None]
        image.set_cmap(ListedColormap(np.hstack([1 - (1 - colours[:, :3]) / alpha, alpha])))


def _page_colours(drawing: str) -> str:
    """Let text, axes and grid take the page's colours; Matplotlib's default black counts as ink."""
    drawing = re.sub(rf"{INK}|#000000", "currentColor", drawing)
    return drawing.replace(GRID, "var(--llmlab-grid, rgba(128,128,128,.3))")


def _page_fonts(drawing: str) -> str:
    """Give text the page's font, and a size the style sheet can scale.

    Matplotlib writes either the ``font`` shorthand or ``font-size`` and ``font-family``.
    """
    drawing = re.sub(
        r"font: (?:(?:italic|oblique) )?(?:(\w+) )?([\d.]+)px [^;\"]*",
        lambda found: f"font-weight: {found[1] or 'normal'}; font-size: {found[2]}px",
        drawing,
    )
    drawing = re.sub(r" ?font-family: [^;\"]*;?", "", drawing)
    drawing = drawing.replace("font-weight: 700", "font-weight: 600")
    size = r"font-size: calc(\1px * var(--llmlab-type, 1))"
    return re.sub(r"font-size: ([\d.]+)px", size, drawing)


def _smaller(drawing: str) -> str:
    """Drop the metadata, the style rule that would reach the whole page, and idle digits."""
    drawing = re.sub(r"\s*<metadata>.*?</metadata>", "", drawing, flags=re.S)
    drawing = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", drawing, flags=re.S)
    drawing = re.sub(r' transform="rotate\(-0 [^"]*"', "", drawing)
    drawing = re.sub(r"<g>\s*</g>|<g/>", "", drawing)
    drawing = re.sub(
        r' (d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), drawing
    )
    return re.sub(r"\s*\n\s*", "\n", drawing)


def _responsive(drawing: str, alt: str) -> str:
    """Replace the fixed size by a view box that fills its column up to the natural size."""
    head = re.match(r"<svg[^>]*>", drawing)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head.group()) if head else None
    if head is None or size is None:
        raise RuntimeError("Matplotlib wrote an SVG without a view box.")
    width, height = float(size.group(1)), float(size.group(2))
    name = html.escape(alt, quote=True)
    wide = " llmlab-wide" if width > 380 else ""
    opening = (
        f'<svg class="llmlab-figure{wide}" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" '
        f'role="img" aria-label="{name}" style="max-width: {width * 4 / 3:.0f}px">'
        f"<title>{name}</title><style>{SHEET}</style>"
    )
    return opening + drawing[head.end() :]


def _own_ids(drawing: str) -> str:
    """Drop the ids nothing refers to, and make the others unique on the page."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', drawing))
    digest = hashlib.sha256(drawing.encode()).hexdigest()[:8]
    copy = _shown[digest]
    _shown[digest] += 1
    prefix = f"f{digest}{f'-{copy}' if copy else ''}-"
    drawing = re.sub(
        r' id="([^"]+)"',
        lambda match: f' id="{prefix}{match.group(1)}"' if match.group(1) in used else "",
        drawing,
    )
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", drawing)
