"""Write-Audit-Publish: readers of a table only ever see rows that were audited.

publishing  the calls: write_audit_publish, resume, publish, and what replaces rows
publisher   one run of Write-Audit-Publish, from its data to main or to a branch that waits
incoming    data at the door: does it fit the table, and is it the same data as before?
branches    the commits of a run on an Iceberg table: stage on a branch, publish, rebase, remove
runs        what a table's metadata says about its runs
upkeep      look after tables that are published to: list runs, discard, roll back, clean up
alerts      where the word goes when an audit blocks a publish
headlines   what became of runs, in sentences and tables
charts      the snapshots of a table as a picture
"""

from dataops_lib.wap.publisher import Publication as Publication
from dataops_lib.wap.publishing import overwrite_where as overwrite_where
from dataops_lib.wap.publishing import publish as publish
from dataops_lib.wap.publishing import resume as resume
from dataops_lib.wap.publishing import upsert as upsert
from dataops_lib.wap.publishing import write_audit_publish as write_audit_publish
