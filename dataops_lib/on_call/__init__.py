"""On-call: a rota that is fair, what it costs, and who should have been called when.

rules       what the article and the field ask of a rota: readings, points, limits, advice
rota        who holds which layer when, what nobody holds and why, overrides on top
problem     a rota as a problem: which shifts, who may hold them, how far apart, what is fair
optimal     fills a rota with a constraint solver, where it is installed
greedy      fills a rota shift by shift and mends it by swaps
planning    makes a rota: the same people, policy and history give the same one again
quality     whether a rota holds what the article asks for: each figure beside its limit
capacity    what so many people can carry, and whether somebody new is ready to be called
pay         what being on call is paid with: real hours by kind, pages, a cap
load        what shifts had to carry: pages, incidents, broken nights
escalation  who should have been called when: an incident replayed on the two clocks
"""

from dataops_lib.on_call.capacity import readiness as readiness
from dataops_lib.on_call.capacity import rotation_capacity as rotation_capacity
from dataops_lib.on_call.escalation import replay as replay
from dataops_lib.on_call.pay import statement as statement
from dataops_lib.on_call.planning import generate as generate
from dataops_lib.on_call.quality import check as check
from dataops_lib.on_call.rota import Rota as Rota
