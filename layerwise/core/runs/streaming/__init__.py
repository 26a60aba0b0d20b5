"""Running a network once over all stimuli, and boiling every selected layer down as it goes by."""
