"""The input and output contract of every exported net; nothing here needs PyTorch.

Input: raw pixels from 0 to 255, white on black, SIDE x SIDE. Output: one logit per class.
"""

SIDE = 28  # pixels
CLASSES = 10
MEAN, STD = 0.1307, 0.3081  # of pixel / 255 over MNIST's 60,000 training digits
