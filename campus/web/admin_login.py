"""The admin's login form."""

from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from campus.academics.selectors import is_registrar


class RegistrarLoginForm(AuthenticationForm):  # type: ignore[misc]
    def confirm_login_allowed(self, user: AbstractUser) -> None:
        DjangoAuthenticationForm.confirm_login_allowed(self, user)
        if not is_registrar(user):
            raise ValidationError("This account is not a registrar's. Lecturers sign in on the staff's pages.", code="no_registrar")
