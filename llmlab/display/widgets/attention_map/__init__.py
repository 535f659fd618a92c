"""Attention as a map."""
