"""What commands of several folders use."""
