"""Files of events in the formats that shops and their software write."""
