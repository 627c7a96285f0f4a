"""Teams and careers: structure by size, who can stand in for whom, what to learn next.

model      roles, team sizes, career levels, skills and the outlook, as values
structure  which structure fits a team's size and maturity, and where ranges are stretched
ownership  holders, bus factors, gaps of ownership, product cards, and what-ifs of people
skills     which skill comes next: prerequisites first, then what one person alone holds
outlook    claims that can be decided: forecasts, their score, and a team's own savings
values     the five values that do not change, each beside one number of the team
headlines  all of it in sentences and small tables, without names of people
charts     structure, ownership and skills as pictures
"""

from dataops_lib.people.model import load_model as load_model
from dataops_lib.people.structure import Structure as Structure
from dataops_lib.people.structure import recommend_structure as recommend_structure
