"""Sessions that know whose they are, so that people can see and end their own."""

from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

LOGIN_KEY = "login"  # what `campus.accounts.history.note_login` writes about the login into the session
UNTIL_KEY = "ends-at"  # when the session ends at the latest, in ISO format, where the system says so that signed it in


class SessionStore(DatabaseSessionStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from campus.accounts.models import LoginSession  # Django imports this module before the models

        return LoginSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        for name, value in data.get(LOGIN_KEY, {}).items():
            setattr(row, name, value)
        if until := data.get(UNTIL_KEY):
            row.expire_date = min(row.expire_date, datetime.fromisoformat(until))
        return row
