"""What other apps may want to know of."""

from django.dispatch import Signal

# Of these `students` (a queryset) some may be recognised from now on, and others may not. `delete_photos`: of those who
# may not, photos are not kept either.
basis_changed = Signal()
