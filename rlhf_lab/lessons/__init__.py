"""What one or two notebooks need and nobody else. The loops and formulas behind it are in the other rooms."""
