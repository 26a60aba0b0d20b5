"""How each answer reads on a terminal."""
