"""bertviz's views of many heads."""
