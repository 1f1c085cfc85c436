"""Compare outlier detectors with one class as normal: the table of mean ROC AUCs.

``python benchmarks/outliers.py`` takes each class of Fashion-MNIST in turn: detectors are fitted on
its training images, and tell the test images of that class from those of all others. PCA gets the
number of components that is best on the test images themselves, class by class, so that no choice
by its user can beat it.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skdae import ReconstructionOutlierDetector
from skdae.datasets import fetch_images

OURS, BEST_PCA, FOREST = "skdae", "PCA, best k", "IsolationForest"


def auc(is_outlier, scores):
    """Area under the ROC curve of scores that are low for outliers."""
    return float(roc_auc_score(is_outlier, -scores))


def detector_auc(X, X_test, is_outlier, **params):
    """ROC AUC of skdae's detector."""
    detector = ReconstructionOutlierDetector(**params).fit(X)
    return auc(is_outlier, detector.score_samples(X_test))


def forest_auc(X, X_test, is_outlier, seed):
    """ROC AUC of an isolation forest."""
    forest = IsolationForest(random_state=seed).fit(X.reshape(len(X), -1))
    return auc(is_outlier, forest.score_samples(X_test.reshape(len(X_test), -1)))


def pca_aucs(X, X_test, is_outlier):
    """ROC AUC of the reconstruction error of PCA, by number of components."""
    pca = PCA(svd_solver="full").fit(X.reshape(len(X), -1))
    codes = pca.transform(X_test.reshape(len(X_test), -1))
    # What k components leave over is what the others hold.
    errors = np.square(codes)[:, ::-1].cumsum(axis=1)[:, ::-1]
    counts = [*range(1, 40), *range(40, errors.shape[1], 10)]
    return {k: auc(is_outlier, -errors[:, k]) for k in counts if k < errors.shape[1]}


def compare(data, normal, seed, n_train):
    """AUCs and seconds of all detectors with the class `normal` as normal."""
    X = data.X_train[data.y_train == normal][:n_train] / np.float32(255)
    X_test, is_outlier = data.X_test / np.float32(255), data.y_test != normal
    start = time.perf_counter()
    aucs = {OURS: detector_auc(X, X_test, is_outlier, random_state=seed)}
    seconds = time.perf_counter() - start
    plain = detector_auc(X, X_test, is_outlier, standardize=False, random_state=seed)
    aucs["skdae, standardize=False"] = plain
    by_count = pca_aucs(X, X_test, is_outlier)
    best = max(by_count, key=by_count.get)
    aucs[BEST_PCA], aucs[FOREST] = by_count[best], forest_auc(X, X_test, is_outlier, seed)
    return aucs, best, seconds


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion_mnist", help="a data set of skdae.datasets")
    parser.add_argument("--classes", nargs="+", type=int, default=range(10), metavar="CLASS")
    parser.add_argument("--images", type=int, metavar="N", help="training images, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here, too")
    return parser.parse_args()


def main():
    """Print the table class by class, as the figures come in."""
    args = parse_args()
    data = fetch_images(args.data)
    rows = {}
    for normal in args.classes:
        aucs, best, seconds = compare(data, normal, args.seed, args.images)
        if not rows:
            print("normal".ljust(14), *(name.rjust(24) for name in aucs), "best k".rjust(8))
        rows[str(data.target_names[normal])] = aucs
        cells = [f"{value:.4f}".rjust(24) for value in aucs.values()]
        name = data.target_names[normal].ljust(14)
        print(name, *cells, f"{best}".rjust(8), f"{seconds:6.1f} s", flush=True)
    means = {name: float(np.mean([row[name] for row in rows.values()])) for name in aucs}
    print("mean".ljust(14), *(f"{value:.4f}".rjust(24) for value in means.values()))
    goal = max(means[BEST_PCA], means[FOREST])
    print(f"Goal, at least {goal:.4f}: {'met' if means[OURS] >= goal else 'MISSED'}.")
    if args.json:
        args.json.write_text(json.dumps({"classes": rows, "mean": means}, indent=1) + "\n")


if __name__ == "__main__":
    main()
