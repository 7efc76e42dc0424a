"""Programs that somebody might use instead, started for a measurement."""
