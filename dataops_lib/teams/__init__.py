"""What teams give us: folders in, frozen values out, all mistakes at once.

team         one team as its folder describes it, cut to what was known at a date
variables    which variables of the environment a team's catalog may be given
folders      where team folders are, and how a new one is made
reader       the files of one team folder, read and checked together
models       what a team.yaml, an onboarding.yaml and a faults.yaml say, as frozen values
on_call_file   what an on_call.yaml says: who can be called, how a rota is cut, what it pays
rota_calendar  a rota as a calendar, and rotas from iCal, PagerDuty and GoAlert
history      run and alert histories: one documented table each, read from CSV text
people_file  what people.yaml says: skills, who answers for what, routine hours, forecasts
git_log      who changed what in a team's folder, read from git without trusting it
lineage      which table is built from which, read from the SELECTs of the models
import_runs  run histories of other tools: dbt run results and Airflow run lists
"""

from dataops_lib.teams.folders import names as names
from dataops_lib.teams.team import Team as Team
from dataops_lib.teams.team import example as example
from dataops_lib.teams.team import load as load
from dataops_lib.teams.team import problems as problems
from dataops_lib.teams.team import team_file as team_file
