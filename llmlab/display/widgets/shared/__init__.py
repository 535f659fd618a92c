"""What every widget has."""
