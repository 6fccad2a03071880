"""Preprocessing: kinds of transforms, one file each; fitted to training rows, and part of the model's one graph."""

from noria.training.preprocessing.bins import Bins, bins
from noria.training.preprocessing.clip import Clip, clip
from noria.training.preprocessing.cycle import Cycle, cycle
from noria.training.preprocessing.encode import Encode, encode
from noria.training.preprocessing.impute import Impute, impute
from noria.training.preprocessing.pipeline import Pipeline, Prepared, check_preprocessing, transforms_of
from noria.training.preprocessing.rare import Rare, rare
from noria.training.preprocessing.scale import Scale, scale
from noria.training.preprocessing.text_length import TextLength, text_length
from noria.training.preprocessing.transform import Fit, Transform
from noria.training.preprocessing.units import Units, units

__all__ = [
    "Bins",
    "Clip",
    "Cycle",
    "Encode",
    "Fit",
    "Impute",
    "Pipeline",
    "Prepared",
    "Rare",
    "Scale",
    "TextLength",
    "Transform",
    "Units",
    "bins",
    "check_preprocessing",
    "clip",
    "cycle",
    "encode",
    "impute",
    "rare",
    "scale",
    "text_length",
    "transforms_of",
    "units",
]
