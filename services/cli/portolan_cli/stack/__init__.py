"""The stack profile: Apache Kafka, Redis and PostgreSQL on this machine, and each process kind on its own."""
