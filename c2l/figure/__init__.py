"""The figure of a photo: the person against the background, estimated without labels."""
