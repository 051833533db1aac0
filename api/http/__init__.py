"""HTTP: who may ask what, problems, limits, and the routes. What is answered, whoever asks, is the desk's."""
