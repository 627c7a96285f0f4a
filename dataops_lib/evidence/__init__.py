"""What a team's own records prove.

records    what was due, which versions came, what the tables hold
levels     service levels as the records tell them: each SLI of each table
verdicts   each service level held against its promise, and what is left of each budget
accounts   how a team's error budgets were spent: each promise by day, in minutes or in runs
series     daily series: rows, scores, the picture of page one, planted faults
incidents  a team's incidents: derived from its records, and what one cost
practices  answers to maturity questions that a team's own files can prove
recompute  the SQL that recomputes each tile of page one, and the tables that it reads
"""

from dataops_lib.evidence.records import Observed as Observed
