"""The cost curve: images a second over batch size, width and depth of the CIFAR network, ours and the peers, as PNG."""
import pathlib

import matplotlib

from contenders import Failed

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import matplotlib.ticker

SCALED = "benches/experiments/cifar_cnn_scaled.yaml"
PEERS = [("Keras", "plain"), ("PyTorch", "contiguous"), ("PyTorch", "channels_last")]
BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
WIDTHS = [8, 16, 32, 64, 128]
DEPTHS = [1, 2, 4, 8]


def curves(setting, seconds):
    """Measures all points and draws them."""
    panels = [
        ("batch size", [(batch, batch, 32, 0) for batch in BATCHES]),
        ("filters of the first convolution (batch 64)", [(width, 64, width, 1) for width in WIDTHS]),
        ("convolutions behind the second (batch 64)", [(depth, 64, 32, depth) for depth in DEPTHS]),
    ]
    found = [(axis, [(x, point(batch, width, depth, setting, seconds)) for x, batch, width, depth in points])
             for axis, points in panels]
    draw(found)


def point(batch, width, depth, setting, seconds):
    """Images a second by contender. Depth 0 is the tutorial's network."""
    if depth == 0:
        experiment, overrides = "experiments/cifar_cnn.yaml", []
    else:
        experiment = SCALED
        overrides = [f"vars.width={width}", f"vars.wide={2 * width}", f"vars.depth={depth}"]
    said = setting.etalon.bench(experiment, f"train.batch_size={batch}", *overrides, "--seconds", seconds)
    rates = {"Etalon": said["images_per_second"]}
    for name, variant in PEERS:
        try:
            setting.peers.prepare(name, variant, network="cifar_cnn", options={"width": width, "depth": depth},
                                  batch=batch, source="", warmup_steps=10, together=10)
            rates[f"{name}, {variant.replace('_', ' ')}"] = setting.peers.window(name, variant, seconds)
        except Failed as failed:
            print(failed)
    setting.peers.forget()
    return rates


def draw(found):
    colours = {"Etalon": "#0b6e4f", "Keras, plain": "#d1495b", "PyTorch, contiguous": "#edae49",
               "PyTorch, channels last": "#3d5a80"}
    figure, panels = plt.subplots(1, len(found), figsize=(13, 4.2), sharey=True, layout="constrained")
    for panel, (axis, points) in zip(panels, found):
        for name, colour in colours.items():
            known = [(x, rates[name]) for x, rates in points if name in rates]
            panel.plot(*zip(*known), marker="o", markersize=4, color=colour, label=name,
                       linewidth=2.4 if name == "Etalon" else 1.5)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xticks([x for x, _ in points], [str(x) for x, _ in points])
        panel.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        panel.minorticks_off()
        panel.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
        panel.set_xlabel(axis)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("images per second, training")
    panels[0].legend(frameon=False)
    figure.savefig(pathlib.Path(__file__).with_name("cost_curve.png"), dpi=110)
