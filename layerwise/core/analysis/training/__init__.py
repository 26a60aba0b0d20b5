"""Questions asked of a training: which layers settle when, what changes meanwhile, and what should alarm somebody.

`checkpoints` says which runs are one training; `settling` compares each layer with what it becomes, with intervals
that are drawn once (`settling_intervals`) and kept (`kept_intervals`); `course` reads
what is stored of each checkpoint, `changes` compares each with the one before; `alarms` judges both; `time_alignment`
holds two trainings against each other.
"""
