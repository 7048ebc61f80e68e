"""Layers, masks, backbones and heads, and how they become one model."""
