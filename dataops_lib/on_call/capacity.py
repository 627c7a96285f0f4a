"""What so many people can carry, and whether somebody new is ready to be called."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas as pd

from dataops_lib.finding import Finding, Status
from dataops_lib.on_call import rules
from dataops_lib.teams.on_call_file import Responder
from dataops_lib.wording import titled

INCIDENT_HOURS = 6  # SRE book, chapter 11: an incident with its follow-up takes about six hours


def rotation_capacity(
    people: int,
    *,
    layers: int = 2,
    night: bool = True,
    pages_each_week: float | None = None,
) -> Finding:
    """Can so many people carry so many layers? The figure that breaks stands in the evidence.

    Parameters
    ----------
    people : int
        Who can be called, 0 or more.
    layers : int
        How many are on call at a time, 1 or more.
    night : bool
        Whether a promise has to be kept at night.
    pages_each_week : float, optional
        Incidents that call somebody; None: not known.

    Examples
    --------
    >>> rotation_capacity(8).status, rotation_capacity(2).numbers["share_on_call"]
    ('ok', 1.0)
    """
    if people < 0 or layers < 1:
        raise ValueError("people must be 0 or more, layers 1 or more")
    book = rules.load()
    most = book.limit("share_on_call").limit
    asked = f"{people} people, {layers} layer{'s' * (layers != 1)}, " + (
        "round the clock" if night else "business hours"
    )
    advice = next(row for row in book.capacity if people >= row.people)
    if people < max(layers, 2):
        share, weeks = 1.0, 0.0
    else:
        share, weeks = layers / people, people / layers - 1
    numbers = {
        "share_on_call": share,
        "limit": most,
        "weeks_between": weeks,
        "people_needed": int(-(-layers // most)),
        "pages_each_week": pages_each_week,
        "source": advice.source,
    }
    broken = []
    if people < max(layers, 2):
        broken.append(f"{people} people cannot hold {layers} layers with a person each")
    if night and share > most:
        needed = numbers["people_needed"]
        broken.append(f"each is on call {share:.0%} of the time, the limit is {most:.0%}: "
                      f"that takes {needed} people")  # fmt: skip
    if pages_each_week is not None:
        limit = book.limit("incidents_per_shift").limit
        if pages_each_week > limit * 14:  # fourteen shifts of twelve hours
            broken.append(f"{pages_each_week:g} pages a week are more than {limit:g} in 12 hours")
    status: Status = "ok" if not broken else "fail" if people < max(layers, 2) else "warn"
    evidence = "; ".join(broken) or f"each is on call {share:.0%} of the time, limit {most:.0%}"
    step = "Nothing to do" if not broken else f"These can carry: {advice.advice}"
    return Finding(asked, status, evidence, step, numbers)


def ladder(layers: int = 2, sizes: Iterable[int] = (2, 3, 4, 5, 6, 8, 12)) -> pd.DataFrame:
    """What teams of these sizes can carry, as a table."""
    rows = []
    for size in sizes:
        judged = rotation_capacity(size, layers=layers)
        advice = next(row for row in rules.load().capacity if size >= row.people)
        share = f"{judged.numbers['share_on_call']:.0%}"
        rows.append((str(size), share, f"{judged.numbers['weeks_between']:.3g}", advice.advice))
    names = ["people", "share on call", "weeks between", "what they can carry"]
    return titled(pd.DataFrame(rows, columns=names))


def readiness(
    person: Responder, shadowed: int | None, runbooks: Collection[str], drills: Collection[str] = ()
) -> Finding:
    """Whether somebody new may be called: runbooks read, drills passed, shifts looked on.

    Parameters
    ----------
    shadowed : int, optional
        Shadow shifts that have ended; None: no rota is known.
    runbooks : collection of str
        Names of the team's runbooks; all of them are to be read.
    drills : collection of str
        Drills that a log shows passed, beside those that `person` names.
    """
    asked = rules.load().readiness
    unread = sorted(set(runbooks) - set(person.runbooks_read))
    passed = sorted({*person.drills_passed, *drills})
    lacking = []
    if shadowed is not None and shadowed < asked.shadow_shifts:
        lacking.append(f"{shadowed} of {asked.shadow_shifts} shadow shifts")
    if unread:
        lacking.append(f"runbooks not read: {', '.join(unread)}")
    if len(passed) < asked.drills:
        lacking.append(f"{len(passed)} of {asked.drills} drills passed")
    subject = f"{person.name} ready to be called"
    numbers = {
        "shadow_shifts": shadowed,
        "runbooks_read": len(set(runbooks) - set(unread)),
        "runbooks": len(runbooks),
        "drills_passed": len(passed),
        "source": asked.source,
    }
    if lacking:
        return Finding(subject, "warn", "; ".join(lacking), "Finish these first", numbers)
    unsure = ["no rota shows shadow shifts"] if shadowed is None else []
    unsure += ["the team has no runbooks"] if not runbooks else []
    if unsure:
        step = "Write what is missing, then ask again"
        return Finding(subject, "unknown", "; ".join(unsure), step, numbers)
    said = f"{shadowed} shadow shifts, {len(runbooks)} runbooks, {len(passed)} drills"
    return Finding(subject, "ok", said, "Nothing to do", numbers)
