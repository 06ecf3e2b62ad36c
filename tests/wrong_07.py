"""Wrong answers to the exercises of lesson 07, from the files of its four parts."""

import wrong_07_formats
import wrong_07_frontier
import wrong_07_outliers
import wrong_07_rounding

PARTS = (wrong_07_frontier, wrong_07_formats, wrong_07_outliers, wrong_07_rounding)
WRONG = {exercise_id: wrongs for part in PARTS for exercise_id, wrongs in part.WRONG.items()}
RIGHT = {exercise_id: answers for part in PARTS for exercise_id, answers in part.RIGHT.items()}
