"""Tasks other than classification: their heads on a row's stages, and how they are measured."""
