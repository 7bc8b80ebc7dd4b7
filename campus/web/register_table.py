"""The table rows of a register. A large class has thousands of cells, so each status is rendered only once."""

from collections.abc import Iterable, Iterator

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from campus.attendance.register import RegisterRow
from campus.attendance.statuses import StatusDefinition

EMPTY = "<td></td>"


def render_register_rows(lines: Iterable[RegisterRow]) -> Iterator[tuple[RegisterRow, SafeString]]:
    """Each line with the cells of its statuses."""
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
        yield line, mark_safe("".join(cells[key] for key in keys))  # noqa: S308
