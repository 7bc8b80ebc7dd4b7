"""What goes wrong in a way that a person can act on."""


class UserError(Exception):
    """The message is a sentence for people: what happened, and what to do."""
