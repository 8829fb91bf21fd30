"""Networks, their weights, and how both become files. `wrap` is for a network of one's own."""

from simteacher.models.wrap import Factory, Wrapped, wrap

__all__ = ["Factory", "Wrapped", "wrap"]
