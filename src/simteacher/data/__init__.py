"""Reading data sets of any recognised layout, and writing the `folder` layout."""
