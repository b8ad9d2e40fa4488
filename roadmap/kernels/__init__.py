"""Compute layers in the way that is fast on the device at hand.

On the CPU everything is torch's own operation, bit for bit, except depthwise convolutions over
small maps. On a GPU the memory is channels-last and the type is that of the input.
"""
