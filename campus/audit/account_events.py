"""What happens to accounts is in the audit log, too: roles, tokens, two-factor login. Logins are on accounts alone."""

from typing import Any, Final

from campus.accounts.history import current_user
from campus.accounts.models import AccountEvent
from campus.audit.models import Action
from campus.audit.services import record_event

LOGINS: Final = {AccountEvent.Kind.LOGGED_IN, AccountEvent.Kind.WRONG_PASSWORD, AccountEvent.Kind.WRONG_CODE}


def record_account_event(*, instance: AccountEvent, created: bool, raw: bool, **_: Any) -> None:
    """Handles `post_save`."""
    if not created or raw or instance.kind in LOGINS:
        return
    exported = instance.kind == AccountEvent.Kind.ATTENDANCE_EXPORTED
    record_event(
        current_user() or instance.user,
        Action.EXPORTED if exported else Action.CHANGED_ACCOUNT,
        about="csv of all classes" if exported else f"{instance.kind}, account {instance.user_id}",
    )
