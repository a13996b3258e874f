"""Pictures of predictions: masks, overlays, contact sheets and the report."""
