"""The 15 corruptions of Hendrycks and Dietterich (2019), each at five severities.

Their numbers are those of the published data sets: of ImageNet-C for images of 224 pixels and of
CIFAR-10-C for 32. Images are squares, (height, width, 3), floats of 0 to 1. The published files are
also stored as JPEG of quality 85 (ImageNet-C), which is not done here.
"""
