"""Raw events as connectors dropped them."""
