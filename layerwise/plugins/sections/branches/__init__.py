"""The section on blocks: how alike their branches are, and what each gives to the output."""
