"""What other apps may want to know of."""

from django.dispatch import Signal

# A roster is read or written: receivers return how these `students` (a queryset) have answered whether they may be
# recognised, as RosterAnswers by the students' ids.
answers_requested = Signal()
answers_imported = Signal()  # a roster says so: `answers` are RosterAnswers by the students' ids
lecture_moved = Signal()  # `lecture` starts later by `seconds`, or ends at another time
