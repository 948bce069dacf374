"""Evaluation: splits, metrics over full rankings, baselines and intervals, without any training framework."""
