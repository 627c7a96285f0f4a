"""GitHub workflows: read, run on paper, and what is wrong with them.

workflow     a GitHub workflow file, read and checked as GitHub does
expressions  the expressions of GitHub workflows, evaluated with what is known beforehand
simulation   a workflow run on paper: what an event runs, what it skips, what can never run
faults       what is wrong with a workflow, with line, reason and fix
"""
