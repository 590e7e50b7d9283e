"""Tables and small pictures for metadata: Markdown and inline SVG, readable in the UI without any other program."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

WIDTH, HEIGHT, EDGE = 640, 200, 8
BLUE, GREY = "#0072B2", "#999999"
"""Okabe-Ito blue: safe for colour-blind readers."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table."""
    lines = [_line(columns), _line(["---"] * len(columns)), *(_line(row) for row in rows)]
    return dg.MetadataValue.md("\n".join(lines))


def counts(what: str, found: Mapping[str, object]) -> dg.MarkdownMetadataValue:
    """Names with their counts."""
    return table((what, "count"), sorted(found.items()))


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def line_plot(title: str, unit: str, values: Sequence[float]) -> dg.MarkdownMetadataValue:
    """A line through values at equal distances, with its range in words; no plot for fewer than two values."""
    if len(values) < 2:
        return dg.MetadataValue.md(f"{title}: nothing to plot")
    low, high = min(values), max(values)
    step = max(1, len(values) // WIDTH)
    shown = [*values[::step], values[-1]]
    points = " ".join(_point(index / (len(shown) - 1), value, low, high) for index, value in enumerate(shown))
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white" stroke="{GREY}"/>'
        f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="2"/></svg>'
    )
    words = f"{title}: {values[0]:.2f} to {values[-1]:.2f} {unit} (lowest {low:.2f}, highest {high:.2f})"
    return dg.MetadataValue.md(
        f"![{words}](data:image/svg+xml;base64,{b64encode(picture.encode()).decode()})\n\n{words}"
    )


def _point(at: float, value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.5
    return f"{EDGE + at * (WIDTH - 2 * EDGE):.1f},{HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE):.1f}"
