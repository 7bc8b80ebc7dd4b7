"""What somebody gets by the claims: a role, and classes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from campus.academics.models import Course
from campus.academics.selectors import CURRENT
from campus.accounts.roles import Role
from campus.common.keys import match_key
from campus.identity.models import AccessRule

Claims = Mapping[str, Sequence[str]]
CLASS_CODE = "{code}"


@dataclass(frozen=True, kw_only=True)
class Access:
    """`role` is None where no rule of the provider gives any: then it is left as it is."""

    role: Role | None
    courses: tuple[Course, ...]
    rules: tuple[AccessRule, ...]


def access_by(rules: Iterable[AccessRule], claims: Claims) -> Access:
    """What the rules, in their order, give to somebody with these claims.

    Where there are rules about roles and none of them applies, the person is a lecturer: who lost the group has lost
    the role.
    """
    rules = list(rules)
    applied, courses, codes = [], {}, set()
    for rule in rules:
        values = claims.get(rule.claim, ())
        if CLASS_CODE in rule.value:
            before, _code, after = rule.value.partition(CLASS_CODE)
            pattern = re.compile(re.escape(before) + "(.+)" + re.escape(after))
            found = {match[1] for value in values if (match := pattern.fullmatch(value))}
            codes |= {match_key(code) for code in found}
            matches = bool(found)
        else:
            matches = rule.value in values
        if matches:
            applied.append(rule)
            if rule.course:
                courses[rule.course.pk] = rule.course
    courses |= {course.pk: course for course in Course.objects.filter(CURRENT, code_key__in=codes)} if codes else {}
    given = [Role(rule.role) for rule in applied if rule.role]
    default = Role.LECTURER if any(rule.role for rule in rules) else None
    return Access(role=given[0] if given else default, courses=tuple(courses.values()), rules=tuple(applied))
