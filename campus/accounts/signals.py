"""What happens to accounts, for the apps above this one."""

from django.dispatch import Signal

recovery_code_used = Signal()  # a login with a recovery code, of `user`
