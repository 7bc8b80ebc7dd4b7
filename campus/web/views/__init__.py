from django.contrib.auth.models import User
from django.http import HttpRequest


class StaffRequest(HttpRequest):
    """A request behind `login_required`, to the type checker."""

    user: User
