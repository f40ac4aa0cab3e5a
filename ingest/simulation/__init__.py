"""Synthetic events and the truth behind them."""
