"""What all figures share: style, layout, text, labels, themes."""
