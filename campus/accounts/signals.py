"""What happens to accounts, for the apps above this one."""

from django.dispatch import Signal

access_ended = Signal()  # `user` has another password, in whatever way it was set, or a closed account
recovery_code_used = Signal()  # a login with a recovery code, of `user`
