"""What an exercise is, and how an answer to one is graded; needs numpy alone."""
