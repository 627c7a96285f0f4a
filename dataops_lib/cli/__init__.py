"""The `dataops` command.

main        the `dataops` command. Heavy imports stand inside the commands, so that help is quick
operations  `dataops lint`, `rerun`, `drill` and `postmortem`: what somebody on call runs
wap         `dataops wap`: look at, finish, discard and roll back what was published, or was not
"""
