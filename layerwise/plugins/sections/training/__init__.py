"""The section on checkpoints of one training: what changes while a network learns."""
