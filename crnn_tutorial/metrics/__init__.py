"""Scores of single images, and what sums them up."""
