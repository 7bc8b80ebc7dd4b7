"""A map of a room as its camera sees it: where faces are large enough, and where people are missed. SVG in the page,
colours from the style sheet.
"""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campus.privacy.fairness import COLUMNS, ROWS, Cell, Map
from campus.web.templatetags.rollcall import percent

WIDTH, HEIGHT = 720, 432
CELL_WIDTH, CELL_HEIGHT = WIDTH // COLUMNS, HEIGHT // ROWS
LARGE_FACE_PX = 40  # below it the models say less of a face (docs/method.md, 4)
# Shares of misses, of the interval's lower and upper end.
OFTEN, SELDOM = 0.2, 0.3


def draw_room_map(room: Map) -> SafeString:
    """Each part of the picture with the usual height of faces there, and the share of those who were missed."""
    cells = format_html_join(
        "",
        '<g class="{}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}"/>'
        '<text class="size" x="{}" y="{}" text-anchor="middle">{}</text><text x="{}" y="{}" text-anchor="middle">{}'
        "</text></g>",
        (
            (
                _colour(cell),
                _describe(cell),
                (left := n % COLUMNS * CELL_WIDTH) + 1,
                (top := n // COLUMNS * CELL_HEIGHT) + 1,
                CELL_WIDTH - 2,
                CELL_HEIGHT - 2,
                left + CELL_WIDTH // 2,
                top + 46,
                f"{cell.height:.0f}" if cell.height else "-",
                left + CELL_WIDTH // 2,
                top + 82,
                percent(cell.missed.share) if cell.missed.total else "",
            )
            for n, cell in enumerate(room.cells)
        ),
    )
    label = _("Height of faces in pixels, and share of those who were missed, in each part of the picture")
    return format_html(
        '<svg class="plot room-map" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        WIDTH,
        HEIGHT,
        label,
        cells,
    )


def _colour(cell: Cell) -> str:
    """By what is certain: a few people say nothing of a place."""
    size = "" if cell.height >= LARGE_FACE_PX else " small"
    if not cell.missed.total:
        return f"nobody{size}"
    low, high = cell.missed.interval
    if low > OFTEN:
        return f"often{size}"
    return f"{'seldom' if high < SELDOM else 'unsure'}{size}"


def _describe(cell: Cell) -> str:
    if not cell.heights and not cell.missed.total:
        return _("Nobody was seen here.")
    low, high = cell.missed.interval
    sentence = _("{n} people who attended, {missed} of them missed ({low} to {high}). Faces: {height} pixels.")
    return sentence.format(
        n=cell.missed.total,
        missed=cell.missed.count,
        low=percent(low),
        high=percent(high),
        height=f"{cell.height:.0f}" if cell.height else "-",
    )
