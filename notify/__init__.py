"""Notifications: what people do with them, and how they reach people."""
