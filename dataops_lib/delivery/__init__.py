"""Shipping changes safely: workflows run on paper (`workflows`), five stages, four figures.

changes      what a team changed since a base: files, models and what hangs on them, contracts
style        the style of SQL and Python files, by sqlfluff and ruff
build        what changed, built into a schema of its own, with production deferred to
dbt          the same for a team with a dbt project, built by dbt itself
pipeline     the stages of one change, from lint to a publish and a message
figures      how often, how fast, how often it breaks, how soon it is mended
stages       stages that run one after another: a red one stops the rest, and the log says why
headlines    what workflows and runs of the stages say, in sentences and small tables
"""

from dataops_lib.delivery.workflows.simulation import simulate as simulate
