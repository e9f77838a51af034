"""What can be made here: the list of model files, which of them are here, and whether the engine is fit."""
