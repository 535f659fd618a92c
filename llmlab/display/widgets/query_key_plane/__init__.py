"""Queries and keys in a plane."""
