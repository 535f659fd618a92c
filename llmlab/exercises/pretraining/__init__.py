"""Exercises of the chapter on pretraining: a module each, whose name is the exercise's."""

CHAPTER = 3
