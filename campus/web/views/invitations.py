"""Where the link of an invitation leads: a password is set, and with it the account opens."""

from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from campus.accounts.invitations import accept_invitation, find_invitation
from campus.accounts.signin import remember_browser
from campus.common.errors import UserError


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, key: str) -> HttpResponse:
    """The first password of an invited person, who is logged in with it."""
    found = find_invitation(key)
    if found is None or found.is_expired:
        return render(request, "web/invitation_ended.html", {"invitation": found}, status=410)
    form = SetPasswordForm(found.user, request.POST or None)
    if form.is_valid():
        try:
            user = accept_invitation(invitation=found, password=form.cleaned_data["new_password1"])
        except UserError as error:
            form.add_error(None, str(error))
        else:
            login(request, user)
            response = redirect("home")
            remember_browser(response, user)
            return response
    return render(
        request, "web/invitation.html", {"form": form, "invited": found.user}, status=400 if form.errors else 200
    )
