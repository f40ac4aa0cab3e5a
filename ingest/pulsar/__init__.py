"""Apache Pulsar: reaching a broker, reading a topic, publishing to one."""
