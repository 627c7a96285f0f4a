"""Incidents on their clocks, and postmortems that say what to change.

disturbance      due times at which a table did not come as promised
incident         incidents, derived from run history and promises, with their timeline and durations
postmortem       a postmortem's computed half as a draft, and what becomes of its action items
postmortem_lint  what makes a written postmortem weak, line by line, and how to write it instead
allowances       comments that free a line, or a whole text, from a rule of a lint
flow             the states of an incident, what is due when, and a word to consumers
alert_review     alerts reviewed: which wake people for nothing, which must stay
timeline         what others recorded: deploys, a chat export, milestones that people mark
causes           the causes of a postmortem as a graph: several branches, each a chain of whys
actions          action items of a team: read from its file, due and overdue, out as tickets
headlines        incidents and postmortems in sentences and tables
charts           one incident on its clock, and the causes of a postmortem
"""
