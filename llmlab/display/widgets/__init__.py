"""Anywidgets: one folder each, with its Python, its JavaScript and its style."""
