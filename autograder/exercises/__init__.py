"""The exercises of the course, one file a topic: each defines TOPIC, a `autograder.spec.Topic`."""
