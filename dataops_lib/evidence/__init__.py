"""What a team's own records prove.

records    what was observed of a team: promised runs, fresh minutes, filled cells, daily volumes
levels     service levels as they were measured: one reading for each SLI of each table
accounts   how a team's error budgets were spent: each promise by day, in minutes or in runs
series     daily series of a team: rows, scores, planted faults
incidents  a team's incidents for a review: which one, what it cost
recompute  the SQL that recomputes each tile of page one from a team's run history and tables
"""

from dataops_lib.evidence.records import Observed as Observed
