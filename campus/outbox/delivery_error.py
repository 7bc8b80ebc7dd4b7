"""Why a message did not arrive."""

from campus.common.errors import UserError
from recognition.messages import Message


class DeliveryError(UserError):
    """The message did not arrive. `final`: trying again is of no use; `gone`: the receiver wants no more messages at
    all.
    """

    def __init__(self, message: str | Message, /, *, final: bool = False, gone: bool = False, **values: object) -> None:
        super().__init__(message, **values)
        self.final, self.gone = final, gone
