"""Checks of a table: what must hold, measured in one scan, judged.

checks        what must hold before a table is published
measure       measure all checks of an audit in one DuckDB scan of the columns they need
uniqueness    prove that no two rows share a key, or count those that do
named_tables  which tables the SQL of a check names
verdicts      judge what an audit measured
faults        a good day's rows with one fault each, to try checks on
"""

from dataops_lib.audit.checks import accepted as accepted
from dataops_lib.audit.checks import columns as columns
from dataops_lib.audit.checks import foreign_key as foreign_key
from dataops_lib.audit.checks import fresh as fresh
from dataops_lib.audit.checks import in_range as in_range
from dataops_lib.audit.checks import matches as matches
from dataops_lib.audit.checks import no_rows as no_rows
from dataops_lib.audit.checks import not_null as not_null
from dataops_lib.audit.checks import row_check as row_check
from dataops_lib.audit.checks import rows as rows
from dataops_lib.audit.checks import rows_at_least as rows_at_least
from dataops_lib.audit.checks import sql_value as sql_value
from dataops_lib.audit.checks import unique as unique
from dataops_lib.audit.checks import volume as volume
from dataops_lib.audit.measure import run as run
