"""WhatsApp as a way to take part: the Cloud API's webhooks in, its messages out. Facts of Graph v26.0."""
