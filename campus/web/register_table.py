"""The table rows of a register. A large class has thousands of cells, so each status is rendered only once."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import accumulate

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from campus.attendance.register import Register, RegisterRow, max_lecture_points
from campus.attendance.statuses import StatusDefinition

EMPTY = "<td></td>"
WIDTH, HEIGHT = 72, 20  # of a sparkline


def render_register_rows(
    register: Register, lines: Iterable[RegisterRow]
) -> Iterator[tuple[RegisterRow, SafeString, SafeString]]:
    """Each line with its sparkline and the cells of its statuses."""
    cells: dict[tuple[StatusDefinition | None, str], str] = {(None, ""): EMPTY}
    for line in lines:
        keys = [(status, line.reasons.get(n, "")) for n, status in enumerate(line.statuses)]
        for status, reason in keys:
            if status and (status, reason) not in cells:
                cells[status, reason] = format_html(
                    '<td class="{}"><abbr title="{}">{}</abbr></td>',
                    status.meaning,
                    f"{status.label}: {reason}" if reason else status.label,
                    status.letter,
                )
        # Each part was escaped above.
        yield line, render_sparkline(register, line), mark_safe("".join(cells[key] for key in keys))  # noqa: S308


def render_sparkline(register: Register, line: RegisterRow) -> SafeString:
    """How the student's share went; "" where there is too little to show."""
    return draw_sparkline(_shares(line.statuses, max_lecture_points(register.statuses)), register.required_share)


def _shares(statuses: Iterable[StatusDefinition | None], lecture_points: Decimal) -> list[float]:
    """The share of the points of all lectures so far, after each one that counts."""
    counted = [status.points for status in statuses if status and status.is_counted]
    if not lecture_points:
        return []
    return [float(total / (n * lecture_points)) for n, total in enumerate(accumulate(counted), start=1)]


def draw_sparkline(shares: Sequence[float], required_share: float) -> SafeString:
    """How a student's share went, and the required one as a thin line; "" where there are not two shares yet."""
    if len(shares) < 2:
        return SafeString()

    def y(share: float) -> float:
        return round(HEIGHT - 2 - (HEIGHT - 4) * share, 1)

    step = WIDTH / (len(shares) - 1)
    return format_html(
        '<svg class="spark" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">'
        '<line x1="0" x2="{0}" y1="{3}" y2="{3}"/><polyline points="{4}"/></svg>',
        WIDTH,
        HEIGHT,
        _("From %(first)d %% to %(last)d %%, lowest %(lowest)d %%")
        % {"first": round(100 * shares[0]), "last": round(100 * shares[-1]), "lowest": round(100 * min(shares))},
        y(required_share),
        " ".join(f"{step * n:.1f},{y(share)}" for n, share in enumerate(shares)),
    )
