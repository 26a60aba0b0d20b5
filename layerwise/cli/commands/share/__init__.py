"""Commands that make something to look at or to hand on: `report`, `figure`, `browse`, `export`."""
