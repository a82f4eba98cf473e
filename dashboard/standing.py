"""What the consent registry says of courses today, and whether an analysis would be permitted; asked, not decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from consent.policy import (
    EVERY_RUN,
    Approval,
    Blur,
    CoverPolicy,
    course_key,
    cover_policy,
    permit,
    purposes_of_run,
)
from consent.registry import Registry


@dataclass(frozen=True)
class Standing:
    """Of one course.

    Attributes:
        approval: the newest one valid today for what every run does; ``None`` without one.
        said_no: how many students, and zones in which nobody takes part.
        unfinished: ids of withdrawals that have not gone through every session.
    """

    approval: Approval | None
    said_no: int
    unfinished: frozenset[str]


@dataclass(frozen=True)
class Gate:
    """An analysis that is permitted: under which approval, and whose heads are covered."""

    approval: Approval
    policy: CoverPolicy


def standings(today: date) -> Mapping[str, Standing]:
    """Every course on record, by its key.

    Raises:
        ConsentError: something on record is damaged.
        RegistryError: the database fails.
    """
    with Registry.open() as registry:
        approvals, withdrawals = registry.approvals(), registry.withdrawals.of_course(None)
        found = {}
        for course in registry.courses():
            key = course_key(course)
            valid = [one for one in approvals if one.course and course_key(one.course) == key and one.valid_on(today)]
            granted = bool(valid) and set(EVERY_RUN) <= set(valid[-1].purposes)
            found[key] = Standing(
                valid[-1] if granted else None,
                len(registry.opt_outs(course)),
                frozenset(one.id for one in withdrawals if course_key(one.course) == key and not one.done),
            )
        return found


def courses() -> tuple[str, ...]:
    """The names of the courses on record, sorted; raises as ``standings``."""
    with Registry.open() as registry:
        return registry.courses()


def gate(course: str, blur: Blur, today: date) -> Gate:
    """What ``engage run --course`` would look up before it begins.

    Raises:
        NotPermitted: no valid approval for all of it, or the record forbids the covers asked for.
        ConsentError: something on record is damaged.
        RegistryError: the database fails.
    """
    purposes = purposes_of_run((), blur)
    with Registry.open() as registry:
        approval = permit(registry.approvals(course), course, None, today, purposes)
        return Gate(approval, cover_policy(blur, registry.opt_outs(course, purposes)))
