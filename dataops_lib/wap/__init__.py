"""Write-Audit-Publish: readers of a table only ever see rows that were audited.

publishing   the calls: write_audit_publish, resume, publish, and what replaces rows
publisher    one run of Write-Audit-Publish, from its data to main or to a branch that waits
publication  what became of a run, and the story of how
incoming     data at the door: does it fit the table, and is it the same data as before?
staging      stage a run's rows on a branch, or put them on a new one when main has moved
replacing    rows that new ones replace, and the count that exactly those were replaced
conditions   which rows a filter selects: those for which it is TRUE
branches     the commits that move or remove refs: publish, remove
retention    which publishes can be gone back to, and what is kept of the others
runs         what a table's metadata says about its runs
upkeep       look after tables that are published to: list runs, discard, roll back, clean up
alerts       where the word goes when an audit blocks a publish
headlines    what became of runs, in sentences and tables
charts       the snapshots of a table as a picture
"""

from dataops_lib.wap.publication import Publication as Publication
from dataops_lib.wap.publishing import overwrite_where as overwrite_where
from dataops_lib.wap.publishing import publish as publish
from dataops_lib.wap.publishing import resume as resume
from dataops_lib.wap.publishing import upsert as upsert
from dataops_lib.wap.publishing import write_audit_publish as write_audit_publish
from dataops_lib.wap.retention import Retention as Retention
