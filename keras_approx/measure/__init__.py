"""What is measured on data: operand statistics, activation ranges, moments, batch statistics, summaries."""
