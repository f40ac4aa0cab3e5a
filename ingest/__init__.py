"""Intake: events from files and topics to landed and refined Parquet."""
