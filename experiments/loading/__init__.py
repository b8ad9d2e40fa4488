"""How images reach the network: loaders, samplers, augmentation."""
