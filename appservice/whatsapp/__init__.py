"""WhatsApp in the process: messages out, webhooks in, and what is known of each."""
