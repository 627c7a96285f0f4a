"""What only notebooks need: a sandbox, sliders, the article, an exercise.

notebooks        the notebooks: which there are, how they are saved, whether all is in place
sandbox          a team's table in a temporary folder, where runs may fail, race and die
article          the article's calls made on the installed PyIceberg, and its example incident
sliders          explorers: a picture for the given parameters, and sliders on top of it
exercise_source  exercise and solved notebook from one source, and a learner's folder to work in
session          a runbook that is being followed: its steps run, and a log is kept
drill            a failure planted in a private copy, and somebody who follows the runbook
rehearsal        a team's repository and tables in a temporary folder, where changes may fail
lessons          comparisons of notebooks 02 and 03: months, ways of averaging, printed numbers
headlines        sentences and tables of notebooks 00 and 04
charts           pictures of notebooks 00 and 04
workshop         a workshop's answers: one form, one file a person, one assessment of the team
workshop_pages   the pages of a workshop: the form on a screen and on paper, the door
workshop_result  a workshop's result on one page: disagreement first, one step last
workshop_server  the server of a workshop's form, for one room and one session
"""
