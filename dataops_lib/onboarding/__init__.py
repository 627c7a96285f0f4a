"""The first month of somebody new: what is due, and the traces it leaves.

first_month  the first month of somebody new: which tasks are seen done, open, or cannot be seen
traces       the traces that newcomers leave in git, and where their first month stands
trials       a newcomer's check, tried on a real day and on planted faults
"""
