"""What `inventory build --shards` runs on a Spark cluster: shards of stores, and the fits of single series."""
