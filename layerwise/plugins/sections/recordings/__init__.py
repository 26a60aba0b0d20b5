"""The section on recordings: areas of a brain or ratings beside networks, with noise ceilings."""
