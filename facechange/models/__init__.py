"""The networks in PyTorch: attribute network, generator, discriminator; their presets, weights, growth and export."""
