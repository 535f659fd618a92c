"""Fill in what was hidden, beside a model."""
