"""Long trials of what must never be lost."""
