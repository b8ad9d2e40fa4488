"""The sheet that every figure is drawn on: style, layout, labels, themes."""
