"""What other apps may want to know of."""

from django.dispatch import Signal

lecture_moved = Signal()  # `lecture` starts later by `seconds`, or ends at another time
