"""Faces and backgrounds, read the same way to train on and to measure on. PyTorch is in `shards` only."""
