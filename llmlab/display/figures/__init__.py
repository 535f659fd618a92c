"""Matplotlib figures in the book's one style: run records, tensors or plain numbers in."""
