"""Real redis-server processes for one machine: found, started, watched and ended."""
