"""The registry in which producers keep the Avro schemas of raw messages, spoken to over its plain HTTP interface."""
