"""Page one and the monthly report: what a lead has to decide.

tiles      the four figures of page one: what is counted, how it stands, how to recompute it
diagnosis  a diagnosis: tiles, service levels by tier, budgets, and what nobody can know
decisions  what a lead has to decide: error budgets first, at most three things
page       parts of page one as HTML, safe for any text, readable without scripts or network
history    earlier reports of a team as rows, and what changed beyond chance
fleet      the reports of all teams in one run, and the page over them
runner     the report of one team: its notebooks executed, one self-contained page
notebook   one notebook executed by papermill, and turned into a page
headlines  sentences that say what was found; true for every team because they are computed
charts     pictures of page one
"""

from dataops_lib.report.diagnosis import diagnose as diagnose
from dataops_lib.report.runner import run as run
