"""Rotary positions as hands of clocks."""
