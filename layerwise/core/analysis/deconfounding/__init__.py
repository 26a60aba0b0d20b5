"""What is left of a similarity once what other layers explain is taken out."""
