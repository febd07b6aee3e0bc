"""Fisher's irises, as scikit-learn ships them: 150 flowers of three species."""

import pandas as pd
from sklearn.datasets import load_iris

TARGET = "species"


def iris() -> pd.DataFrame:
    """Lengths and widths in centimetres, and the species by name."""
    bunch = load_iris()
    names = [name.removesuffix(" (cm)").replace(" ", "_") for name in bunch.feature_names]
    table = pd.DataFrame(bunch.data, columns=names)
    table[TARGET] = [str(bunch.target_names[index]) for index in bunch.target]
    return table
