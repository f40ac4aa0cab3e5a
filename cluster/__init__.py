"""What `inventory build --shards` runs on a Spark cluster: shards of stores, and fits of single series and stores."""
