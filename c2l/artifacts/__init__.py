"""The artifacts the stages meet through: the only homes of h5py and safetensors."""
