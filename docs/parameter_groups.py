"""Show the parameters of the denoisers in groups, on their pages alone."""

import re

GROUPS = {
    "Network": (
        *("architecture", "latent_dim", "discriminator_filters", "output_activation"),
        *("transform_to",),
    ),
    "Training": (
        *("loss", "l1_weight", "masked_fraction", "mask_radius", "mask_shape"),
        *("std", "alpha", "optimizer", "lr"),
        *("lr_schedule", "weight_decay", "max_epochs", "max_steps", "early_stopping", "patience"),
        *("callbacks", "checkpoint", "warm_start", "random_state", "verbose"),
    ),
    "Data": (
        "noise",
        "image_shape",
        "channel_axis",
        "missing_values",
        "batch_size",
        "patch_size",
        "validation_fraction",
    ),
    "Hardware": ("device", "precision", "compile", "tile_size"),
}
# Seldom looked for.
FOLDED = {"Hardware"}
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}


def group_parameters(app, what, name, thing, options, lines):
    """Sort what numpydoc wrote below ``:Parameters:``, and put a title above each group."""
    if what != "class" or ":Parameters:" not in lines:
        return
    start = lines.index(":Parameters:") + 1
    end = next(
        (i for i in range(start, len(lines)) if lines[i] and not lines[i].startswith(" ")),
        len(lines),
    )
    blocks = [[]]
    for line in lines[start:end]:
        if re.match(r" {4}\*\*\w+\*\* : ", line):
            blocks.append([])
        blocks[-1].append(line)
    before, *blocks = blocks
    names = [re.match(r" {4}\*\*(\w+)", block[0])[1] for block in blocks]
    if "max_epochs" not in names:
        return
    grouped = before
    for group in GROUPS:
        members = [i for i, name in enumerate(names) if GROUP_OF[name] == group]
        folded = group in FOLDED
        if members:
            grouped += [f"    .. {'dropdown' if folded else 'rubric'}:: {group}", ""]
        for i in members:
            grouped += [f"    {line}" if folded and line else line for line in blocks[i]] + [""]
    lines[start:end] = grouped
