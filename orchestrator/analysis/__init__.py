"""Answers: intervals, comparisons, choices, effects and stopping rules. Pure; scipy is loaded where it is needed."""
