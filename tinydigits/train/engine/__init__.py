"""The engine: training steps in C, compiled on this machine; PyTorch trains where it cannot be had.

engine.c and the headers it includes are the engine; ``build`` compiles it, ``library`` calls it,
``choice`` decides whether it trains, and ``steps`` trains a run's epochs with it.
"""
