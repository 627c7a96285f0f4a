"""The `dataops` command.

main        the `dataops` command. Heavy imports stand inside the commands, so that help is quick
operations  `dataops lint`, `rerun`, `drill` and `postmortem`: what somebody on call runs
rerun       a manual re-run for one day: refused with the reason, or built, audited and published
fleet       `dataops report --all`: the reports of all teams, and the page over them
ci          `dataops ci`: the stages of a change; `dataops workflow`: a workflow file on paper
workshop    `dataops workshop`: serve the form to a room, merge answers, print the sheet
wap         `dataops wap`: look at, finish, discard and roll back what was published, or was not
"""
