"""What happens to accounts, for the apps above this one."""

from django.dispatch import Signal

password_changed = Signal()  # the password of `user` is another, in whatever way it was set
recovery_code_used = Signal()  # a login with a recovery code, of `user`
