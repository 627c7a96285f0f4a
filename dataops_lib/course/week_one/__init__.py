"""Week one as questions that check themselves.

exercise          the first week of a new colleague as questions that check themselves
question          questions with a checkable answer: what is right, and what each mistake shows
about_team        what week one asks about a team, in one learner's numbers
about_budget      a spell of days in which a table's runs are held against a promise
about_publishing  what week one does, in a private copy: a blocked morning repaired, a day published
learner           where one learner's questions come from: a team that can be read and not be harmed
desk              what a new colleague has at hand: catalog, data, models, runbooks, a private copy
"""

from dataops_lib.course.week_one.exercise import start as start
