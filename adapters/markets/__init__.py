"""What each market calls things. Vendor words stop here."""
