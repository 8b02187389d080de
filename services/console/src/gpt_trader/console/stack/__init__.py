"""The whole system on one machine: secrets, configuration, processes, supervision."""
