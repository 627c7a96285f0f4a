"""Runbooks that somebody can follow at 3 a.m. the first time: read, judged, executed.

runbook       a runbook as its Markdown says it: header, responses with steps and outcomes, contacts
commands      what the code of a runbook is: whether it can be read, and what it would change
paths         the decision graph of a response: which step follows which outcome, where a path ends
runbook_lint  what makes a runbook fail at 3 a.m., line by line, and how to write it instead
coverage      which alerts a runbook answers, weighted by how often they paged
executable    a runbook as a notebook: its prose, and a cell for each step that can be run
headlines     runbooks in sentences and tables
charts        a decision graph, and pages with the runbooks that answer them
"""

from dataops_lib.incidents.postmortem_lint import Weakness as Weakness
from dataops_lib.runbooks.executable import notebook as notebook
from dataops_lib.runbooks.runbook import Runbook as Runbook
from dataops_lib.runbooks.runbook import read as read
from dataops_lib.runbooks.runbook_lint import Context as Context
from dataops_lib.runbooks.runbook_lint import lint as lint
