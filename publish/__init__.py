"""Publication: the warehouse's serving tables for readers outside it, and the summary of a data folder."""
