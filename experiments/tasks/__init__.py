"""What a network learns: the Lightning task of each kind, its losses and its optimizer."""
