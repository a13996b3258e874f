"""Long trials of what the tests try once: anyone can run them again."""
