"""Pictures of what was found: masks, overlays, contact sheets and the report."""
