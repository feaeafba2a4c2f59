"""A strict stand-in for WhatsApp: Meta's Cloud API, its webhooks, and people's telephones. Test equipment."""
