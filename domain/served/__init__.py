"""What a gateway is answered with."""
