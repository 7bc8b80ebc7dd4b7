"""The admin's login form."""

from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from campus.academics.selectors import is_registrar


class RegistrarLoginForm(AuthenticationForm):
    def confirm_login_allowed(self, user: User) -> None:
        DjangoAuthenticationForm.confirm_login_allowed(self, user)
        if not is_registrar(user):
            raise ValidationError("This account is not a registrar's. Lecturers sign in on the staff's pages.", code="no_registrar")
