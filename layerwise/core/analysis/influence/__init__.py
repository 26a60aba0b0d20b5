"""Which stimuli a comparison hangs on, and how many would settle an open one."""
