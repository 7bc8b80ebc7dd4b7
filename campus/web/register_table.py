"""The table rows of a register. A large class has thousands of cells, so each status is rendered only once."""

from collections.abc import Iterable, Iterator

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from campus.attendance.register import RegisterRow
from campus.attendance.statuses import StatusDefinition

EMPTY = "<td></td>"


def render_register_rows(lines: Iterable[RegisterRow]) -> Iterator[tuple[RegisterRow, SafeString]]:
    """Each line with the cells of its statuses."""
    cells: dict[StatusDefinition, str] = {}
    for line in lines:
        for status in line.statuses:
            if status and status not in cells:
                cells[status] = format_html(
                    '<td class="{}"><abbr title="{}">{}</abbr></td>', status.meaning, status.label, status.letter
                )
        # Each part was escaped above.
        yield line, mark_safe("".join(cells[status] if status else EMPTY for status in line.statuses))  # noqa: S308
