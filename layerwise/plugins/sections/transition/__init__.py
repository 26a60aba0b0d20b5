"""The section on the way from the input's similarity structure to the output's."""
