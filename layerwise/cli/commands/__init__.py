"""The built-in commands, one module each; importing them must cost nothing but Typer."""
