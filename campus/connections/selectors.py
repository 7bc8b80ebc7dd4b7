"""Which connections a user may see: those who look after all classes, and auditors."""

from django.db.models import QuerySet

from campus.accounts.roles import AnyUser, sees_everything
from campus.connections.models import Connection, ConnectionRun, CourseLink


def connections_for(user: AnyUser) -> QuerySet[Connection]:
    return Connection.objects.all() if sees_everything(user) else Connection.objects.none()


def links_for(user: AnyUser) -> QuerySet[CourseLink]:
    return CourseLink.objects.filter(connection__in=connections_for(user))


def runs_for(user: AnyUser) -> QuerySet[ConnectionRun]:
    return ConnectionRun.objects.filter(connection__in=connections_for(user))
