"""Figures of what was tuned (plots) and of single images (panels), returned as such; `figures` writes them as PNG."""
