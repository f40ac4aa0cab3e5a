"""`/today`: what needs a manager today, served ready, under Superset's sign-in and with the viewer's own rows."""
