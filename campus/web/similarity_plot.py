"""Pictures of figures, as SVG in the page: no script, colours from the style sheet, light and dark."""

from collections.abc import Mapping, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

WIDTH, HEIGHT = 340, 250  # so narrow that a phone doesn't shrink the text
LEFT, RIGHT, TOP, BOTTOM = 16, 16, 66, 50
TICK_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
TICKS = 5
ROW = 18  # pixels between the names of thresholds, which may lie close together


def draw_similarity_plot(curves: Mapping[str, Sequence[float]], thresholds: Sequence[tuple[str, float]]) -> SafeString:
    """Histograms of similarities of the same and of different people, with named thresholds; "" if nothing was
    measured.

    `curves` has the counts "genuine" and "impostor" between "edges" (cosines, one more than counts). Each is drawn as
    high as the other: there are always far more pairs of different people.
    """
    edges = curves.get("edges", [])
    shown = [i for name in ("genuine", "impostor") for i, count in enumerate(curves.get(name, [])) if count]
    if len(edges) < 2 or not shown:
        return SafeString()
    low, high = edges[min(shown)], max(edges[max(shown) + 1], *(value for _, value in thresholds))
    high = max(high, low + 0.01)

    def x(cosine: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (cosine - low) / (high - low), 1)

    floor = HEIGHT - BOTTOM
    step = next((step for step in TICK_STEPS if (high - low) / step <= TICKS), TICK_STEPS[-1])
    ticks = [n * step for n in range(round(low / step), round(high / step) + 1) if low <= n * step <= high]
    areas = format_html_join(
        "\n",
        '<path class="{0}" d="{1}"><title>{2}</title></path>',
        (
            (name, _steps(curves[name], [x(edge) for edge in edges], floor), title)
            for name, title in (("impostor", _("Different people")), ("genuine", _("The same person")))
        ),
    )
    axis = format_html_join(
        "\n",
        '<line class="axis" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text x="{0}" y="{3}" text-anchor="middle">{4}</text>',
        ((x(tick), floor, floor + 5, floor + 21, f"{tick:.2f}") for tick in ticks),
    )
    lines = format_html_join(
        "\n",
        '<line class="threshold" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text x="{3}" y="{4}" '
        'text-anchor="end">{5}</text>',
        (
            (
                x(value),
                TOP - ROW * (n + 1) + 4,
                floor,
                x(value) - 5,
                TOP - ROW * (n + 1) + 13,
                f"{name} {value:.3f}",
            )
            for n, (name, value) in enumerate(sorted(thresholds, key=lambda threshold: threshold[1]))
        ),
    )
    return format_html(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{label}">'
        '{areas}<line class="axis" x1="{left}" x2="{right}" y1="{floor}" y2="{floor}"/>{axis}{lines}'
        '<text x="{right}" y="{bottom}" text-anchor="end">{unit}</text></svg>',
        label=_("Similarity of faces of the same person and of different people"),
        unit=_("similarity (cosine)"),
        w=WIDTH,
        h=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        floor=floor,
        bottom=HEIGHT - 6,
        areas=areas,
        axis=axis,
        lines=lines,
    )


def _steps(counts: Sequence[float], edges: Sequence[float], floor: float) -> str:
    """The path of a histogram between `edges` (pixels), as high as the plot."""
    first, last = (
        next((i for i, n in enumerate(counts) if n), 0),
        max((i for i, n in enumerate(counts) if n), default=-1),
    )
    peak = max(counts, default=0) or 1
    path = [f"M{edges[first]} {floor}"]
    for i in range(first, last + 1):
        path.append(f"V{floor - (floor - TOP) * counts[i] / peak:.1f}H{edges[i + 1]}")
    return "".join([*path, f"V{floor}Z"])
