"""The HTTP side: answers for gateways and operators."""
