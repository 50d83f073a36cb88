"""Codecs: JSON and Avro, raw envelopes in, our events out."""
