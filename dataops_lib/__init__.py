"""DataOps notebook suite: what a data team needs to know about itself, computed.

Rooms, in reading order: from files and tables, over what was promised, to the page that says it.

warehouse       Iceberg tables: opened, read by DuckDB, known by their metadata
teams           What teams give us: folders in, frozen values out, all mistakes at once
audit           Checks of a table: what must hold, measured in one scan, judged
contracts       Data contracts (ODCS): read, turned into checks, compared
wap             Write-Audit-Publish: readers of a table only ever see rows that were audited
service_levels  SLIs, SLOs, SLAs and error budgets: what was promised, and how well it was kept
maturity        The maturity self-assessment: answers, a gate, one next step
incidents       Incidents on their clocks, and postmortems that say what to change
runbooks        Runbooks for 3 a.m.: read, judged, executed
on_call         A rota that is fair, what it costs, and who should have been called when
evidence        What a team's own records prove
onboarding      The first month of somebody new: what is due, and the traces it leaves
delivery        Shipping changes: workflows run on paper, five stages, four figures
people          Teams and careers: structure by size, who can stand in, what to learn next
examples        The two example teams, replayed on a simulated clock
report          Page one and the monthly report: what a lead has to decide
course          What only notebooks need: a sandbox, sliders, the article, an exercise
cli             The `dataops` command
"""
