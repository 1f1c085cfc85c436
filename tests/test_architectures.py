"""Nets are built as their parameters say, for any shape, and decode what they encode."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from torch import nn

from skdae._files.weights import write_net
from skdae.architectures import (
    ACTIVATIONS,
    ARCHITECTURES,
    Conv,
    Dense,
    DnCNN,
    Linear,
    Pretrained,
    UNet,
)
from skdae.architectures._spatial import layer, up_conv
from skdae.architectures.residual import ResidualBlock


def layers(module, kind):
    return [m for m in module.modules() if isinstance(m, kind)]


def test_dense_net_of_the_occlusion_study():
    net = Dense(hidden=(128,)).build((28, 28, 1), (28, 28, 1), latent_dim=50)
    sizes = [(m.in_features, m.out_features) for m in layers(net, nn.Linear)]
    assert sizes == [(784, 128), (128, 50), (50, 128), (128, 784)]


def test_conv_net_of_the_fashion_mnist_study():
    net = Conv(filters=(32, 64), batch_norm=False).build((28, 28, 1), (28, 28, 1))
    assert not layers(net, nn.BatchNorm2d)
    sizes = [(m.in_channels, m.out_channels) for m in layers(net, nn.Conv2d)]
    assert sizes == [(1, 32), (32, 64), (64, 64), (64, 32), (32, 1)]
    assert net.encode(torch.zeros(1, 1, 28, 28)).shape == (1, 64, 7, 7)


def test_batch_norm_and_dropout_stand_in_every_hidden_layer():
    dense = Dense(hidden=(16, 8), batch_norm=True, dropout=0.5).build((4, 4, 1), (4, 4, 1), 2)
    conv = Conv(filters=(4, 8), batch_norm=True, dropout=0.5).build((8, 8, 1), (8, 8, 1))
    assert len(layers(dense, nn.BatchNorm1d)) == len(layers(dense, nn.Dropout)) == 4
    assert len(layers(conv, nn.BatchNorm2d)) == len(layers(conv, nn.Dropout)) == 4


def test_linear_net_has_no_activation():
    net = Linear().build((4, 4, 1), (4, 4, 1), latent_dim=3)
    x = torch.rand(5, 16)
    zero = net(torch.zeros(1, 16))
    torch.testing.assert_close(net(2 * x) - zero, 2 * (net(x) - zero))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_is_the_named_one(activation):
    net = Dense(hidden=(8,), activation=activation).build((4, 4, 1), (4, 4, 1))
    assert len(layers(net, ACTIVATIONS[activation])) == 1


@settings(max_examples=60, deadline=None)
@given(
    sides=st.lists(st.integers(1, 13), min_size=1, max_size=3),
    n_channels=st.integers(1, 3),
    filters=st.sampled_from([(2,), (2, 3), (2, 3, 4)]),
    downsample=st.sampled_from(["pool", "stride"]),
    latent_dim=st.sampled_from([None, 3]),
)
def test_conv_net_fits_any_shape(sides, n_channels, filters, downsample, latent_dim):
    shape = (*sides, n_channels)
    net = Conv(filters=filters, downsample=downsample).build(shape, shape, latent_dim)
    x = torch.rand(2, n_channels, *sides)
    out = net(x)
    assert out.shape == x.shape
    torch.testing.assert_close(net.decode(net.encode(x)), out)
    if latent_dim:
        assert net.encode(x).shape == (2, latent_dim)


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.sampled_from([1, 3, 5, 7]),
    scale=st.integers(1, 4),
    size=st.lists(st.integers(1, 5), min_size=1, max_size=3),
)
def test_up_convolution_equals_upsampling_then_convolution(kernel, scale, size):
    torch.manual_seed(0)
    layer = up_conv(3, 5, kernel, scale, len(size)).double()
    x = torch.rand(2, 3, *size, dtype=torch.float64, requires_grad=True)
    enlarged = nn.functional.interpolate(x, scale_factor=scale, mode="nearest")
    convolve = getattr(nn.functional, f"conv{len(size)}d")
    expected = convolve(enlarged, layer.weight, layer.bias, padding="same")
    out = layer(x)
    torch.testing.assert_close(out, expected)
    inputs = (x, layer.weight, layer.bias)
    gradients = (torch.autograd.grad(y.square().sum(), inputs) for y in (out, expected))
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("options", [(3, 1, "same"), (5, 1, 0), (2, 2, 0), (3, 1, 1)], ids=str)
def test_convolution_of_signals_is_that_of_torch(options):
    torch.manual_seed(0)
    ours = layer("Conv", 1)(4, 6, *options)
    theirs = nn.Conv1d(4, 6, *options)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 4, 21)
    outputs = ours(x), theirs(x)
    torch.testing.assert_close(*outputs)
    gradients = [
        torch.autograd.grad(y.square().sum(), conv.parameters())
        for y, conv in zip(outputs, (ours, theirs), strict=True)
    ]
    torch.testing.assert_close(*gradients)


def test_feature_map_nets_take_other_sizes():
    net = Conv(filters=(4, 8)).build((8, 8, 1), (8, 8, 1))
    assert net(torch.rand(1, 1, 11, 5)).shape == (1, 1, 11, 5)
    assert Conv().any_size(latent_dim=None)
    assert not Conv().any_size(latent_dim=4)
    assert not Dense().any_size(latent_dim=None)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_last_layer_runs_in_float32_under_autocast(name):
    net = ARCHITECTURES[name]().build((8, 8, 1), (8, 8, 1))
    x = torch.rand(2, 64) if net_is_flat(name) else torch.rand(2, 1, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net(x).dtype == torch.float32
        if name != "dncnn":
            assert net.encode(x).dtype == torch.bfloat16


def net_is_flat(name):
    return ARCHITECTURES[name].flat


def test_unet_halves_by_strides_and_adds_what_it_skipped():
    net = UNet(filters=(4, 8, 16), n_blocks=2).build((16, 16, 3), (16, 16, 3))
    features = net._inwards(torch.rand(1, 3, 16, 16))
    assert [tuple(f.shape[1:]) for f in features] == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]
    assert len(layers(net, ResidualBlock)) == 2 * 5
    assert not hasattr(net, "decode")


def test_unet_with_a_stride_works_at_the_low_resolution():
    net = UNet(filters=(4, 8), stride=2).build((16, 16, 1), (16, 16, 1))
    assert net.stem.in_channels == 4
    assert [tuple(f.shape[2:]) for f in net._inwards(torch.rand(1, 1, 16, 16))] == [(8, 8), (4, 4)]


@pytest.mark.parametrize("architecture", [UNet((2, 4), stride=2), DnCNN(3, 4)], ids=repr)
def test_channels_beyond_the_targets_are_only_looked_at(architecture):
    net = architecture.build((8, 8, 4), (8, 8, 3))
    x = torch.rand(2, 4, 8, 8)
    louder = x + torch.tensor([0.0, 0.0, 0.0, 1.0])[:, None, None]
    assert net(x).shape == (2, 3, 8, 8)
    assert not torch.equal(net(x), net(louder))
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(net(x), x[:, :3])


def test_a_net_in_a_file_has_the_weights_it_learnt_to_half_precision(tmp_path):
    architecture = UNet((2, 4), stride=2)
    module = architecture.build((8, 8, 2), (8, 8, 1))
    write_net(tmp_path / "net.safetensors", architecture, module)
    again = Pretrained(tmp_path / "net")
    assert again.receptive_field() == architecture.receptive_field()
    weights = again.build((16, 16, 2), (16, 16, 1)).state_dict()
    for name, value in module.state_dict().items():
        assert torch.equal(weights[name], value.half().float())
    with pytest.raises(ValueError, match="of its weights differ"):
        again.build((16, 16, 4), (16, 16, 3))


def test_dncnn_of_the_paper():
    net = DnCNN().build((40, 40, 1), (40, 40, 1))
    convs = layers(net, nn.Conv2d)
    assert len(convs) == 17
    assert len(layers(net, nn.BatchNorm2d)) == 15
    # The figure of the paper's net for one noise level, with batch norm's gains and biases.
    assert sum(p.numel() for p in net.parameters()) == 556_097


@pytest.mark.parametrize(
    "architecture", [UNet(filters=(4, 8)), DnCNN(depth=3, filters=4)], ids=["unet", "dncnn"]
)
def test_untrained_residual_net_changes_the_image_little(architecture):
    torch.manual_seed(0)
    net = architecture.build((16, 16, 1), (16, 16, 1)).eval()
    x = torch.rand(2, 1, 16, 16)
    assert (net(x) - x).square().mean() < 0.1 * x.var()


RESIDUAL = [UNet((4, 8)), UNet((2, 4, 4), 2), UNet((4, 8), stride=2), DnCNN(4, 4)]


@settings(max_examples=60, deadline=None)
@given(
    architecture=st.sampled_from(RESIDUAL),
    sides=st.lists(st.integers(1, 13), min_size=1, max_size=3),
    n_channels=st.integers(1, 3),
)
def test_residual_nets_take_any_shape(architecture, sides, n_channels):
    built_for = (*[8] * len(sides), n_channels)
    net = architecture.build(built_for, built_for).eval()
    x = torch.rand(2, n_channels, *sides)
    assert net(x).shape == x.shape


@pytest.mark.parametrize(
    "architecture",
    [Conv((2,)), Conv((2, 2), kernel_size=5), Conv((2, 2), downsample="stride"), *RESIDUAL],
    ids=repr,
)
def test_receptive_field_holds_all_that_a_pixel_sees(architecture):
    stride, radius = architecture.receptive_field()
    torch.manual_seed(0)
    net = architecture.build((64, 64, 1), (64, 64, 1)).eval()
    for weight in net.parameters():
        # No ReLU is silent where nothing is negative.
        weight.data.abs_()
    x = torch.rand(1, 1, 128, 128, requires_grad=True)
    output = net(x)
    seen = 0
    for column in range(64, 64 + stride):
        (gradient,) = torch.autograd.grad(output[..., column].sum(), x, retain_graph=True)
        columns = gradient.abs().sum((0, 1, 2)).nonzero().ravel()
        seen = max(seen, (columns - column).abs().max().item())
    # A bound, and no loose one: tiles overlap by it.
    assert 0.7 * radius <= seen <= radius


def test_codes_of_residual_nets_are_refused():
    with pytest.raises(ValueError, match="latent_dim=3 would be no bottleneck in UNet"):
        UNet().build((8, 8, 1), (8, 8, 1), latent_dim=3)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameter_objects_clone_and_print(name):
    architecture = ARCHITECTURES[name]()
    assert repr(clone(architecture)) == f"{type(architecture).__name__}()"


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (Dense(hidden=()), "'hidden' parameter of Dense must be a tuple of positive integers"),
        (Dense(hidden=(8, 0)), "positive integers"),
        (Conv(filters=(8.5,)), "positive integers"),
        (Conv(kernel_size=4), "'kernel_size' parameter of Conv must be an odd int"),
    ],
)
def test_bad_sizes_are_named(architecture, message):
    with pytest.raises(ValueError, match=message):
        architecture.build((8, 8, 1), (8, 8, 1))


@pytest.mark.parametrize("target", [(4, 4, 1), (8, 16, 1), (16, 16, 1), (8, 1)])
@pytest.mark.parametrize("architecture", [Conv(), UNet(), DnCNN()], ids=repr)
def test_convolutional_nets_keep_the_size(architecture, target):
    with pytest.raises(ValueError, match="keeps the size"):
        architecture.build((8, 8, 1), target)


@pytest.mark.parametrize("architecture", [Conv((4,)), UNet((4, 8)), DnCNN(3, 4)], ids=repr)
def test_signals_and_volumes_are_convolved_as_images_are(architecture):
    """Kernels that are the same along an axis of length 1 as without that axis."""
    torch.manual_seed(0)
    flat = architecture.build((16, 1), (16, 1)).eval()
    thick = architecture.build((16, 16, 1), (16, 16, 1)).eval()
    assert {p.ndim for p in flat.parameters()} == {1, 3}
    assert {p.ndim for p in architecture.build((8, 8, 8, 1), (8, 8, 8, 1)).parameters()} == {1, 5}
    assert sum(p.numel() for p in flat.parameters()) < sum(p.numel() for p in thick.parameters())
