"""End-to-end encryption at work: the machines of `crypto` driven on the network, for the bot and every ghost."""
