"""The `dataops` command.

main  the `dataops` command. Heavy imports stand inside the commands, so that help is quick
wap   `dataops wap`: look at, finish, discard and roll back what was published, or was not
"""
