"""Everything on one computer under one command: broker, receiver, workers, web, Flower, sample radiographs."""
