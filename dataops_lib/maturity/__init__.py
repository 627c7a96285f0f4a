"""The maturity self-assessment: answers, a gate, one next step.

model      the maturity model as data, and the answers it accepts
answers    answers and votes of an assessment: checked, counted
scoring    how mature a way of working is: median over respondents, and a gate
gate       what blocks the next level, and the one thing to do next
headlines  maturity in sentences and tables
charts     maturity in pictures: disagreement first, then the gate
"""

from dataops_lib.maturity.gate import blockers as blockers
from dataops_lib.maturity.gate import judge as judge
from dataops_lib.maturity.gate import next_step as next_step
from dataops_lib.maturity.gate import progress as progress
from dataops_lib.maturity.model import load_model as load_model
from dataops_lib.maturity.scoring import Measured as Measured
from dataops_lib.maturity.scoring import score as score
