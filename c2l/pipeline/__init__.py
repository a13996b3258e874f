"""What several stages need: the device, batches of images, the network and the predictor."""
