"""The numbers that go in and come out of every net; nothing here needs PyTorch.

A net takes raw pixels, 0 to 255, white on black, SIDE a side, and returns one logit a class.
"""

SIDE = 28  # pixels of a picture
CLASSES = 10
MEAN, STD = 0.1307, 0.3081  # of pixel / 255 over MNIST's 60,000 training digits
