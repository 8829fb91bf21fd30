"""What a stage learns from: each objective takes the stage's state and batches and returns named losses.

They compose by summing.
"""
