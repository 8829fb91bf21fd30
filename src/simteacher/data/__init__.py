"""Reading data sets of any recognised layout, and writing the `folder` layout."""

from simteacher.data.folder import FolderWriter
from simteacher.data.images import read_image
from simteacher.data.open import open_dataset
from simteacher.data.read import read_confidence, read_label, require_labels
from simteacher.data.sample import IGNORE, DataSet, Frame

__all__ = [
    "IGNORE",
    "DataSet",
    "FolderWriter",
    "Frame",
    "open_dataset",
    "read_confidence",
    "read_image",
    "read_label",
    "require_labels",
]
