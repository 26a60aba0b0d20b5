"""Options of the command line that several commands share, and how they are read, grouped and explained."""
