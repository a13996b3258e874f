"""Everything that distrusts a file of unknown origin."""
