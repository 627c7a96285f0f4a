"""SLIs, SLOs, SLAs and error budgets: what was promised, and how well it was kept.

objectives     what a promise about a table says
periods        the period of a promise: the last days, or a whole calendar period
measurements   what a measurement of a promise holds: good, total, and what nobody knows
slo            promises of a team: read from its file, held against measurements, and linted
sli            what was measured: fresh minutes, good runs, complete cells, ordinary volumes
freshness      fresh minutes, computed from when versions landed: no sampled gauge, no minute grid
proof          how many runs may fail, and what counted runs prove
outlook        what would hold: promises tried on a known history, and on periods that are drawn
budget         error budgets: what a target allows, how much is spent, and the one verdict
burn_alerts    burn-rate alerts: when somebody is called, and rules that can never fire
budget_policy  what a team does while so much of an error budget is left
severity       how bad it is, by when somebody answers, and what puts a table into a tier
openslo        promises as OpenSLO v1 documents, written and read
headlines      sentences about promises: budgets, alerts, evidence; computed, so true for any team
charts         pictures of promises: budgets, alerts, evidence. Each draws on an Axes it returns
"""
