"""What search is good for besides searching: the classes, duplicates, clusters and outliers of a collection."""

from octant.applications.classify import Classified, Classifier, calibration_error
from octant.applications.clusters import Cluster, Clusters, clusters_of
from octant.applications.duplicates import Duplicates, Pair, Reason, near_duplicates
from octant.applications.outliers import Outlier, Outliers, outliers_of

__all__ = [
    "Classified",
    "Classifier",
    "Cluster",
    "Clusters",
    "Duplicates",
    "Outlier",
    "Outliers",
    "Pair",
    "Reason",
    "calibration_error",
    "clusters_of",
    "near_duplicates",
    "outliers_of",
]
