"""Which connections a user may see: those who look after all classes, and auditors."""

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, When

from campus.accounts.roles import AnyUser, sees_everything
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery


def connections_for(user: AnyUser) -> QuerySet[Connection]:
    return Connection.objects.all() if sees_everything(user) else Connection.objects.none()


def links_for(user: AnyUser) -> QuerySet[CourseLink]:
    return CourseLink.objects.filter(connection__in=connections_for(user))


def links_with_counts(user: AnyUser) -> QuerySet[CourseLink]:
    """Each with its marks that stand there as far as is known (`sent`), and those `waiting` and `failed`; `failure` and
    `failed_name` say why one was given up, and whose it is. First come those that a person has to look at."""
    states = MarkDelivery.State
    failed = MarkDelivery.objects.filter(link=OuterRef("pk"), state=states.FAILED).order_by("-changed_at", "pk")
    counts = {
        "sent": Count("marks", filter=Q(marks__confirmed_value__gt="")),
        "waiting": Count("marks", filter=Q(marks__state=states.WAITING)),
        "failed": Count("marks", filter=Q(marks__state=states.FAILED)),
    }
    last = {
        "failure": Subquery(failed.values("error")[:1]),
        "failed_name": Subquery(failed.values("student__name")[:1]),
    }
    rows = links_for(user).select_related("course__term").annotate(**counts, **last)
    return rows.order_by(Case(When(question="", failed=0, then=1), default=0), "course__code", "remote_id")


def failed_marks(link: CourseLink) -> QuerySet[MarkDelivery]:
    """The marks that were given up, for a person to look at."""
    rows = link.marks.filter(state=MarkDelivery.State.FAILED).select_related("student", "lecture")
    return rows.order_by("student__surname", "student__name", "pk")


def questions_for(user: AnyUser) -> QuerySet[CourseLink]:
    """The classes whose roster elsewhere has changed so much that a person has to look at it."""
    return links_for(user).exclude(question="").filter(connection__active=True).select_related("course", "connection")


def runs_for(user: AnyUser) -> QuerySet[ConnectionRun]:
    return ConnectionRun.objects.filter(connection__in=connections_for(user))
