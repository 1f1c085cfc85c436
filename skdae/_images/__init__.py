"""Shapes, dtypes and ranges of images; imports nothing of skdae.

Inside skdae a batch is always ``(n_samples, *spatial, n_channels)``, with one spatial axis for
signals, two for images and three for volumes. This folder converts to and from what users hold.
"""

from .arrays import as_array, as_container_of, is_listed, refuse_mixed_units
from .blocks import check_tile, overlap, predict_blocks, smallest_tile, tiles
from .checks import (
    FLOAT_DTYPES,
    check_images,
    check_sample_weight,
    check_target,
    refuse_gaps,
    validate_images,
)
from .geometry import (
    Geometry,
    as_planes,
    check_fitted_shape,
    check_kept_shape,
    check_same_shape,
    geometry_of,
    guess_image_shape,
    has_order,
    middle,
    shapes_of,
)
from .lists import (
    check_any_images,
    check_image_list,
    check_targets,
    first_image,
    image_by_image,
    image_list,
    images_of_fit,
    is_ragged,
    known_images,
    mean_score,
)
from .missing import gaps_in, likely_sentinel, masks_of, warn_of_sentinel, without_gaps
from .stores import check_chunks, check_stores, is_dask, stores_of
from .values import (
    CHUNK_VALUES,
    MAX_LEVEL,
    VALUES_PER_STEP,
    batches,
    float32_range,
    in_unit_range,
    is_far,
    mean_differences,
    refuse_other_units,
    refuse_overflow,
    squared_errors,
    to_float,
    union,
    value_range,
    warn_if_far,
)
from .warn import callers, is_inside_of_a_library, verbose_of_search, warn_user
