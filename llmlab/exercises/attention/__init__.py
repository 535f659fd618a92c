"""Exercises of the chapter on attention: a module each, whose name is the exercise's."""

CHAPTER = 1
