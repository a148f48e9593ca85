"""The bus on Apache Kafka: for a country, and for whoever wants to see what a country will meet."""

import logging

from kit.bus.kafka.publisher import KafkaPublisher
from kit.bus.kafka.subscription import KafkaSubscription

__all__ = ["KafkaPublisher", "KafkaSubscription"]

# The client logs an ERROR at each attempt of an outage; what matters of it is raised, and logged by who hears that.
logging.getLogger("kafka").setLevel(logging.CRITICAL)
