"""What the machine and the user have set: the project's folder, the user config, GPUs."""
