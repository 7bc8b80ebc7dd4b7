"""Attendance over the weeks of a term, one line a class: SVG in the page, colours from the style sheet."""

from collections.abc import Mapping, Sequence
from datetime import date

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

WIDTH, HEIGHT = 720, 312
LEFT, RIGHT, TOP, BOTTOM = 80, 14, 20, 46  # wide enough for the larger letters of a phone
LINES = 8  # lines that can still be told apart
DATES = 7


def draw_term_plot(series: Mapping[str, Sequence[tuple[date, float]]]) -> SafeString:
    """Shares (0..1) by the Mondays of their weeks; "" where there is nothing to draw. The first eight series are drawn.

    What it shows is also in the tables of the page.
    """
    drawn = {name: points for name, points in list(series.items())[:LINES] if points}
    if not drawn:
        return SafeString()
    days = sorted({day for points in drawn.values() for day, _share in points})
    span = max((days[-1] - days[0]).days, 1)

    def x(day: date) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (day - days[0]).days / span, 1)

    def y(share: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)

    grid = format_html_join(
        "",
        '<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/><text x="{3}" y="{4}" text-anchor="end">{5} %</text>',
        ((LEFT, WIDTH - RIGHT, y(part / 4), LEFT - 8, y(part / 4) + 4, 25 * part) for part in range(5)),
    )
    every = -(-len(days) // DATES)
    dates = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (min(max(x(day), LEFT + 14), WIDTH - RIGHT - 18), HEIGHT - 10, date_format(day, _("j M")))
            for day in days[::every]
        ),
    )
    lines = format_html_join(
        "",
        '<g class="line-{}"><polyline points="{}"/>{}</g>',
        (
            (
                n,
                " ".join(f"{x(day)},{y(share)}" for day, share in points),
                format_html_join(
                    "",
                    '<circle cx="{}" cy="{}" r="3.5"><title>{}, {}: {} %</title></circle>',
                    ((x(day), y(share), name, date_format(day, _("j M")), round(100 * share)) for day, share in points),
                ),
            )
            for n, (name, points) in enumerate(drawn.items(), start=1)
        ),
    )
    legend = format_html_join(
        "",
        '<li class="line-{}"><svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><polyline points="0,4 '
        '28,4"/></svg>{}</li>',
        enumerate(drawn, start=1),
    )
    return format_html(
        '<svg class="plot term" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg><ul class="legend">{}</ul>',
        WIDTH,
        HEIGHT,
        _("Attendance week by week"),
        grid,
        dates,
        lines,
        legend,
    )
