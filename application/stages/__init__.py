"""The four stages. They meet only through events."""
