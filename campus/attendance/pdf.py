"""Lists on paper: the attendance of a lecture, and the register of a class, as PDF."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from campus.academics.models import Lecture
from campus.attendance.models import SignOff
from campus.attendance.pdf_fonts import fallback_font, unpacked_inter
from campus.attendance.register import Register, RegisterRow
from campus.attendance.statuses import meaning_of, status_definitions
from recognition.excel.tables import STATUS_COLOURS, clean_text

HEAD = (31, 56, 100)
LINE = (190, 190, 190)
ROW = 5.6  # millimetres, as everything here
NUMBER, NAME, DAY, SUM = 26.0, 56.0, 6.2, 15.0
DATES = 22.0  # the height of the dates


class PdfDocument(FPDF):
    """A4 with a heading and the number of each page."""

    def __init__(self, heading: str, below: str, *, landscape: bool) -> None:
        super().__init__(orientation="landscape" if landscape else "portrait", format="A4")
        self.heading, self.below = clean_text(heading), clean_text(below)
        self.lacks_glyphs = False
        self.add_font("Inter", "", unpacked_inter("Inter-Regular"))
        self.add_font("Inter", "B", unpacked_inter("Inter-SemiBold"))
        self.set_title(self.heading)
        self.set_creator("Rollcall")
        self.set_margin(12)
        self.set_auto_page_break(True, margin=14)
        self.set_draw_color(*LINE)
        self.set_line_width(0.1)
        self.add_page()

    def header(self) -> None:
        self.set_font("Inter", "B", 13)
        self.cell(h=7, text=self.fitting(self.heading, self.epw), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_font("Inter", "", 9)
        self.cell(h=6, text=self.fitting(self.below, self.epw), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def footer(self) -> None:
        self.set_y(-11)
        self.set_font("Inter", "", 7.5)
        self.cell(w=self.epw / 2, text=str(settings.INSTITUTION))
        self.cell(
            w=self.epw / 2, text=_("Page %(page)s of %(pages)s") % {"page": self.page_no(), "pages": "{nb}"}, align="R"
        )

    def get_fallback_font(self, char: str, style: str = "") -> str | None:
        """The key of a font that has the character, read into the document when it is first needed."""
        font = fallback_font(char)
        self.lacks_glyphs |= font is None
        key = font.stem.lower() if font else None
        if font and key and key not in self.fonts:
            self.add_font(key, fname=font)
        return key

    def cell(self, w: float | None = None, h: float | None = None, text: str = "", *args: Any, **kwargs: Any) -> Any:
        self._shape(text)
        return super().cell(w, h, text, *args, **kwargs)

    def _shape(self, text: str) -> None:
        """Join letters and order them as their script does, which takes long, where the pages' font has not all of them."""
        self.set_text_shaping(any(ord(char) not in getattr(self.current_font, "cmap", ()) for char in text))

    def finish(self) -> bytes:
        """The document, with a word on names that could not be printed whole."""
        if self.lacks_glyphs:
            self.ln(ROW)
            missing = _(
                "Some characters are missing: this server has no font for them. Ask the administrator to install one."
            )
            self.multi_cell(w=self.epw, h=ROW, text=missing)
        return bytes(self.output())

    def fitting(self, text: str, width: float) -> str:
        """The text, cut to the width with an ellipsis."""
        text = " ".join(clean_text(text).split())
        self._shape(text)
        if self.get_string_width(text) <= width - 2:
            return text
        while text and self.get_string_width(text + "…") > width - 2:
            text = text[:-1]
        return text + "…"

    def box(self, width: float, text: str, *, colour: str = "", align: str = "L") -> None:
        if colour:
            self.set_fill_color(*bytes.fromhex(colour))
        self.cell(w=width, h=ROW, text=self.fitting(text, width + 1), border=1, align=align, fill=bool(colour))

    def head(self, widths: Sequence[float], names: Sequence[str]) -> None:
        self.set_font("Inter", "B", 8)
        self.set_fill_color(*HEAD)
        self.set_text_color(255)
        for width, name in zip(widths, names, strict=True):
            self.cell(w=width, h=ROW, text=self.fitting(name, width + 1), border=1, fill=True)
        self.ln(ROW)
        self.set_text_color(0)
        self.set_font("Inter", "", 8)


def lecture_pdf(lecture: Lecture) -> bytes:
    """The list of one lecture, with a line to sign on, or who signed it off."""
    starts = timezone.localtime(lecture.starts_at)
    when = f"{date_format(starts, 'DATE_FORMAT')}, {starts:%H:%M}"
    room = lecture.room.name if lecture.room else ""
    paper = PdfDocument(str(lecture.course), " · ".join(filter(None, (when, lecture.title, room))), landscape=False)
    widths = (NUMBER, 68.0, 30.0, 20.0, 20.0, paper.epw - NUMBER - 138.0)
    names = (_("Number"), _("Name"), _("Status"), _("First seen"), _("Last seen"), _("Minutes"))
    paper.head(widths, names)
    for record in lecture.records.select_related("student").order_by("student__name", "student__number"):
        if paper.will_page_break(ROW):
            paper.add_page()
            paper.head(widths, names)
        times = (f"{timezone.localtime(seen):%H:%M}" if seen else "" for seen in (record.first_seen, record.last_seen))
        cells = (
            record.student.number,
            record.student.name,
            record.get_status_display(),
            *times,
            f"{record.seconds / 60:.0f}",
        )
        for width, cell, colour in zip(
            widths, cells, ("", "", STATUS_COLOURS[meaning_of(record.status)], "", "", ""), strict=True
        ):
            paper.box(width, cell, colour=colour)
        paper.ln(ROW)
    _sign(paper, lecture)
    return paper.finish()


def _sign(paper: PdfDocument, lecture: Lecture) -> None:
    paper.ln(6)
    signed = SignOff.objects.filter(lecture=lecture).first()
    if signed:
        at = date_format(timezone.localtime(signed.at), "DATETIME_FORMAT")
        paper.cell(
            h=ROW,
            text=paper.fitting(_("Signed off by %(name)s, %(at)s") % {"name": signed.user_name, "at": at}, paper.epw),
        )
    else:
        paper.ln(8)
        paper.cell(w=70, h=ROW, text=_("Date and signature"), border="T")


def register_pdf(register: Register) -> bytes:
    """The register; where the lectures do not fit beside each other, further pages go on with the later ones."""
    said = _("%(students)d students, %(lectures)d lectures; %(least)d %% asked for, %(below)d below") % {
        "students": len(register.lines),
        "lectures": len(register.lectures),
        "least": round(100 * register.least),
        "below": register.below,
    }
    legend = ", ".join(f"{kind.letter} {kind.label}" for kind in status_definitions().values())
    paper = PdfDocument(str(register.course), f"{said} · {legend}", landscape=True)
    room = int((paper.epw - NUMBER - NAME - 2 * SUM) / DAY)
    for n, first in enumerate(range(0, max(len(register.lectures), 1), room)):
        if n:
            paper.add_page()
        _block(paper, register, slice(first, first + room), last=first + room >= len(register.lectures))
    return paper.finish()


def _block(paper: PdfDocument, register: Register, part: slice, *, last: bool) -> None:
    """The table over some of the lectures; the last one has the sums."""
    _dates(paper, register, part, last=last)
    for line in register.lines:
        if paper.will_page_break(ROW):
            paper.add_page()
            _dates(paper, register, part, last=last)
        paper.box(NUMBER, line.student.number)
        paper.box(NAME, line.student.name)
        for kind in line.kinds[part]:
            paper.box(DAY, kind.letter if kind else "", colour=STATUS_COLOURS[kind.like] if kind else "", align="C")
        if last:
            for text in _sums(line):
                paper.box(SUM, text, colour=STATUS_COLOURS["absent"] if line.below else "", align="R")
        paper.ln(ROW)


def _sums(line: RegisterRow) -> Iterator[str]:
    yield f"{float(line.tally.points):g} / {float(line.tally.most):g}"
    yield "" if line.tally.share is None else f"{100 * line.tally.share:.0f} %"


def _dates(paper: PdfDocument, register: Register, part: slice, *, last: bool) -> None:
    """The head of the table, with the dates upright."""
    paper.set_font("Inter", "B", 8)
    top, left = paper.get_y(), paper.l_margin + NUMBER + NAME
    lectures = register.lectures[part]
    for n, lecture in enumerate(lectures):
        x = left + (n + 0.5) * DAY
        with paper.rotation(90, x, top + DATES):
            paper.text(x + 1, top + DATES + 1, f"{timezone.localtime(lecture.starts_at):%Y-%m-%d}")
    paper.set_xy(paper.l_margin, top + DATES - ROW)
    paper.cell(w=NUMBER, h=ROW, text=_("Number"))
    paper.cell(w=NAME, h=ROW, text=_("Name"))
    if last:
        paper.set_x(left + len(lectures) * DAY)
        paper.cell(w=SUM, h=ROW, text=_("Points"), align="R")
        paper.cell(w=SUM, h=ROW, text=_("Share"), align="R")
    paper.set_xy(paper.l_margin, top + DATES)
    paper.set_font("Inter", "", 8)
