"""One run: what is asked for, what is loaded and decoded, the plan, the streaming, and what is stored of it."""
