"""Lists for printing: the attendance of a lecture, and the register of a class, as PDF."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from campus.academics.models import Lecture
from campus.academics.selectors import student_sections
from campus.accounts.institution import institution_name
from campus.attendance.models import SignOff
from campus.attendance.pdf_fonts import fallback_font, unpacked_inter
from campus.attendance.register import Register, RegisterRow
from campus.attendance.roll import lecture_roll
from campus.attendance.statuses import meaning_of, status_definitions
from recognition.excel.tables import HEADER_COLOUR, STATUS_COLOURS, clean_text

LINE_COLOUR = (228, 231, 236)
# Lengths are in millimetres.
ROW_HEIGHT = 5.6
DATE_HEIGHT = 22.0  # of the dates above the register, which are written upright
NUMBER_WIDTH = 26.0
NAME_WIDTH = 56.0
SECTION_WIDTH = 18.0
DAY_WIDTH = 6.2
SUM_WIDTH = 15.0


class PdfDocument(FPDF):
    """An A4 document with a heading and a page number on each page."""

    def __init__(self, heading: str, subheading: str, *, landscape: bool) -> None:
        super().__init__(orientation="landscape" if landscape else "portrait", format="A4")
        self.heading, self.subheading = clean_text(heading), clean_text(subheading)
        self.institution = institution_name()
        self.lacks_glyphs = False
        self.add_font("Inter", "", unpacked_inter("Inter-Regular"))
        self.add_font("Inter", "B", unpacked_inter("Inter-SemiBold"))
        self.set_title(self.heading)
        self.set_creator("Rollcall")
        self.set_margin(12)
        self.set_auto_page_break(True, margin=14)
        self.set_draw_color(*LINE_COLOUR)
        self.set_line_width(0.1)
        self.add_page()

    def header(self) -> None:
        self.set_font("Inter", "B", 13)
        self.cell(h=7, text=self.fit_text(self.heading, self.epw), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_font("Inter", "", 9)
        self.cell(h=6, text=self.fit_text(self.subheading, self.epw), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def footer(self) -> None:
        self.set_y(-11)
        self.set_font("Inter", "", 7.5)
        self.cell(w=self.epw / 2, text=self.institution)
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
        self._set_shaping(text)
        return super().cell(w, h, text, *args, **kwargs)

    def _set_shaping(self, text: str) -> None:
        """Turn text shaping on where the document's font lacks a letter.

        It joins and orders letters as their script does, but is slow.
        """
        self.set_text_shaping(any(ord(char) not in getattr(self.current_font, "cmap", ()) for char in text))

    def finish(self) -> bytes:
        """The document, with a word on names that could not be printed whole."""
        if self.lacks_glyphs:
            self.ln(ROW_HEIGHT)
            missing = _(
                "Some characters are missing: this server has no font for them. Ask the administrator to install one."
            )
            self.multi_cell(w=self.epw, h=ROW_HEIGHT, text=missing)
        return bytes(self.output())

    def fit_text(self, text: str, width: float) -> str:
        """The text, cut to the width with an ellipsis."""
        text = " ".join(clean_text(text).split())
        self._set_shaping(text)
        if self.get_string_width(text) <= width - 2:
            return text
        while text and self.get_string_width(text + "…") > width - 2:
            text = text[:-1]
        return text + "…"

    def add_cell(self, width: float, text: str, *, colour: str = "", align: str = "L") -> None:
        if colour:
            self.set_fill_color(*bytes.fromhex(colour))
        self.cell(w=width, h=ROW_HEIGHT, text=self.fit_text(text, width + 1), border=1, align=align, fill=bool(colour))

    def add_header_row(self, widths: Sequence[float], names: Sequence[str]) -> None:
        self.set_font("Inter", "B", 8)
        self.set_fill_color(*bytes.fromhex(HEADER_COLOUR))
        self.set_text_color(255)
        for width, name in zip(widths, names, strict=True):
            self.cell(w=width, h=ROW_HEIGHT, text=self.fit_text(name, width + 1), border=1, fill=True)
        self.ln(ROW_HEIGHT)
        self.set_text_color(0)
        self.set_font("Inter", "", 8)


def lecture_pdf(lecture: Lecture) -> bytes:
    """The list of one lecture, with who signed it off, or a line to sign on."""
    starts_at = timezone.localtime(lecture.starts_at)
    when = date_format(starts_at, "DATETIME_FORMAT")
    room = lecture.room.name if lecture.room else ""
    subheading = " · ".join(filter(None, (when, lecture.title, room)))
    document = PdfDocument(str(lecture.course), subheading, landscape=False)
    sections = student_sections(lecture.course)
    about = {_("Number"): NUMBER_WIDTH, _("Name"): 68.0}
    if sections:
        about |= {_("Name"): 68.0 - SECTION_WIDTH, _("Section"): SECTION_WIDTH}
    widths = (*about.values(), 30.0, 20.0, 20.0, document.epw - NUMBER_WIDTH - 138.0)
    names = (*about, _("Status"), _("First seen"), _("Last seen"), _("Minutes"))
    document.add_header_row(widths, names)
    for record in lecture_roll(lecture):
        if document.will_page_break(ROW_HEIGHT):
            document.add_page()
            document.add_header_row(widths, names)
        times = (f"{timezone.localtime(seen):%H:%M}" if seen else "" for seen in (record.first_seen, record.last_seen))
        cells = (
            record.student.number,
            record.student.name,
            *([sections.get(record.student_id, "")] if sections else []),
            record.get_status_display(),
            *times,
            f"{record.seconds / 60:.0f}" if record.machine_status else "",
        )
        colours = (*[""] * len(about), STATUS_COLOURS.get(meaning_of(record.status), ""), "", "", "")
        for width, cell, colour in zip(widths, cells, colours, strict=True):
            document.add_cell(width, cell, colour=colour)
        document.ln(ROW_HEIGHT)
    _add_signature(document, lecture)
    return document.finish()


def _add_signature(document: PdfDocument, lecture: Lecture) -> None:
    document.ln(6)
    sign_off = SignOff.objects.filter(lecture=lecture).first()
    if sign_off:
        signed_at = date_format(timezone.localtime(sign_off.signed_at), "DATETIME_FORMAT")
        text = _("Signed off by %(name)s, %(at)s") % {"name": sign_off.user_name, "at": signed_at}
        document.cell(h=ROW_HEIGHT, text=document.fit_text(text, document.epw))
    else:
        document.ln(8)
        document.cell(w=70, h=ROW_HEIGHT, text=_("Date and signature"), border="T")


def register_pdf(register: Register) -> bytes:
    """The register. Lectures that do not fit side by side continue on further pages."""
    summary = _("%(students)d students, %(lectures)d lectures; %(required)d %% required, %(below)d below") % {
        "students": len(register.rows),
        "lectures": len(register.lectures),
        "required": round(100 * register.required_share),
        "below": register.below_count,
    }
    legend = ", ".join(f"{status.letter} {status.label}" for status in status_definitions().values())
    document = PdfDocument(str(register.course), f"{summary} · {legend}", landscape=True)
    lectures_per_page = int((document.epw - sum(_about(register).values()) - 2 * SUM_WIDTH) / DAY_WIDTH)
    for first in range(0, max(len(register.lectures), 1), lectures_per_page):
        if first:
            document.add_page()
        end = first + lectures_per_page
        _add_register_block(document, register, slice(first, end), is_last=end >= len(register.lectures))
    return document.finish()


def _about(register: Register) -> dict[str, float]:
    """The columns that say who it is, with their widths."""
    return {
        _("Number"): NUMBER_WIDTH,
        _("Name"): NAME_WIDTH,
        **({_("Section"): SECTION_WIDTH} if register.has_sections else {}),
    }


def _add_register_block(document: PdfDocument, register: Register, block: slice, *, is_last: bool) -> None:
    """The table over some of the lectures. The last one has the sums."""
    _add_register_header(document, register, block, with_sums=is_last)
    for row in register.rows:
        if document.will_page_break(ROW_HEIGHT):
            document.add_page()
            _add_register_header(document, register, block, with_sums=is_last)
        document.add_cell(NUMBER_WIDTH, row.student.number)
        document.add_cell(NAME_WIDTH, row.student.name)
        if register.has_sections:
            document.add_cell(SECTION_WIDTH, row.section)
        for status in row.statuses[block]:
            letter, colour = (status.letter, STATUS_COLOURS[status.meaning]) if status else ("", "")
            document.add_cell(DAY_WIDTH, letter, colour=colour, align="C")
        if is_last:
            for text in _sums(row):
                document.add_cell(SUM_WIDTH, text, colour=STATUS_COLOURS["absent"] if row.is_below else "", align="R")
        document.ln(ROW_HEIGHT)


def _sums(row: RegisterRow) -> Iterator[str]:
    yield f"{float(row.tally.points):g} / {float(row.tally.max_points):g}"
    yield "" if row.tally.share is None else f"{100 * row.tally.share:.0f} %"


def _add_register_header(document: PdfDocument, register: Register, block: slice, *, with_sums: bool) -> None:
    """The header of the table, with the dates written upright."""
    document.set_font("Inter", "B", 8)
    top, left = document.get_y(), document.l_margin + sum(_about(register).values())
    lectures = register.lectures[block]
    for n, lecture in enumerate(lectures):
        x = left + (n + 0.5) * DAY_WIDTH
        with document.rotation(90, x, top + DATE_HEIGHT):
            day = date_format(timezone.localtime(lecture.starts_at), "DATE_FORMAT")
            document.text(x + 1, top + DATE_HEIGHT + 1, day)
    document.set_xy(document.l_margin, top + DATE_HEIGHT - ROW_HEIGHT)
    for name, width in _about(register).items():
        document.cell(w=width, h=ROW_HEIGHT, text=name)
    if with_sums:
        document.set_x(left + len(lectures) * DAY_WIDTH)
        document.cell(w=SUM_WIDTH, h=ROW_HEIGHT, text=_("Points"), align="R")
        document.cell(w=SUM_WIDTH, h=ROW_HEIGHT, text=_("Share"), align="R")
    document.set_xy(document.l_margin, top + DATE_HEIGHT)
    document.set_font("Inter", "", 8)
