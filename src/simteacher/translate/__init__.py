"""Image translation: rendered images take on the look of photographs, their labels stay. `simteacher translate`."""
