"""What commands print of a training: when layers settle, what changes, what is alarming."""
