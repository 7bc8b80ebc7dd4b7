"""The design system: one header everywhere, icons and drawings that are there, and a page that shows every part."""

import re

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from campus.web.icons import STATIC, drawing_names, icon_names

TEMPLATES = STATIC.parents[1] / "templates"


def sources() -> str:
    return "".join(file.read_text() for file in TEMPLATES.rglob("*.html"))


def header_of(client: Client, address: str) -> str:
    """Without what says which page is shown, and its help."""
    page = client.get(address).content.decode()
    (header,) = re.findall(r'<header class="top">.*?</header>', page, re.DOTALL)
    header = re.sub(r'<link rel="stylesheet".*?</dialog>', "", header, flags=re.DOTALL)
    return re.sub(r' aria-current="\w+"|name="(csrfmiddlewaretoken|next)" value="[^"]*"', "", header)


def test_the_admin_has_the_header_of_the_staffs_pages(admin_client: Client) -> None:
    staff = header_of(admin_client, reverse("home"))
    assert "Log out" in staff
    assert reverse("search-suggestions") in staff
    for name in ("admin:index", "admin:academics_course_changelist", "admin:academics_course_add"):
        assert header_of(admin_client, reverse(name)) == staff


def test_a_page_of_the_admin_has_one_title_and_one_main_part(admin_client: Client, admin_user: User) -> None:
    page = admin_client.get(reverse("admin:auth_user_change", args=[admin_user.pk])).content.decode()
    assert page.count("<main") == page.count("<h1") == 1
    assert 'href="#main"' in page
    assert '<main id="main"' in page
    assert f"<h1>{admin_user}</h1>" in page


def test_every_icon_and_drawing_is_there() -> None:
    pages = sources()
    assert set(re.findall(r'{% icon "(\w+)" %}', pages)) <= set(icon_names())
    assert set(re.findall(r'_empty.html" with drawing="(\w+)"|drawings.svg\' %}#(\w+)"', pages)) <= {
        pair for name in drawing_names() for pair in ((name, ""), ("", name))
    }


def test_every_variable_is_in_the_tokens() -> None:
    """A variable that no sheet sets makes a rule do nothing. Those of the theme are its own."""
    styles = "".join(file.read_text() for file in STATIC.glob("*.css"))
    assert set(re.findall(r"var\((--(?!color-)[\w-]+)\)", styles)) <= set(re.findall(r"(--[\w-]+):", styles))


def test_the_style_guide_shows_the_parts(admin_client: Client) -> None:
    page = admin_client.get(reverse("styleguide")).content.decode()
    assert all(f"#{name}" in page for name in (*icon_names(), *drawing_names()))


def test_production_has_no_style_guide(admin_client: Client, settings) -> None:
    settings.STYLEGUIDE = False
    assert admin_client.get(reverse("styleguide")).status_code == 404
