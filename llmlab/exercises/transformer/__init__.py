"""Exercises of the chapter on the transformer: a module each, whose name is the exercise's."""

CHAPTER = 2
