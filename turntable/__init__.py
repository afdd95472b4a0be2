"""Draws cars on a studio turntable: a mesh, a camera, a depth buffer and studio light.

The chain is `car` and `props` (meshes) → `raster` (which triangle each pixel sees) → `shading`
(what colour it has) → `picture` (the image and its exact mask). Only numpy and Pillow are used,
and per pixel only what IEEE 754 rounds exactly (sums, products, quotients, square roots), so that
the same seed gives the same pixels whatever vector instructions the machine has.
"""
