"""A registrar and a class."""

import pytest
from django.test import Client

from campus.academics.models import Course
from tests.campus.web.admin_tools import client_of


@pytest.fixture
def registrar(db: None) -> Client:
    return client_of("registrar", registrar=True)


@pytest.fixture
def course(db: None) -> Course:
    return Course.objects.create(code="CS101", name="Computing")
