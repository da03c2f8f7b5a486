"""torchvision's transforms v2, one image after the other as a DataLoader calls them: see serve.py. One thread.

Variants: `tensor` (u8 tensors) and `pillow` (PIL images); for photos `pillow` decodes with Pillow and `tensor` with
torchvision's own decoder.
"""
import pathlib

import torch
import torchvision
from PIL import Image
from torchvision.transforms import v2

import serve

torch.set_num_threads(1)
UNIT = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616])]
CHAINS = {
    "crop_flip": [v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), *UNIT],
    "rotate_jitter": [v2.RandomRotation(15, v2.InterpolationMode.BILINEAR), v2.ColorJitter(0.2, 0.2, 0.2, 0.05), *UNIT],
    "photos": [v2.Resize(256, antialias=True), v2.CenterCrop(224)],
}


class Steps:
    def __init__(self, order):
        self.chain = v2.Compose(CHAINS[order["network"]])
        is_pillow = order["variant"] == "pillow"
        if order["network"] == "photos":
            self.samples = sorted(pathlib.Path(order["source"]).glob("train/*/*.jpg"))
            self.open = open_with_pillow if is_pillow else open_with_torchvision
        else:
            pixels, _ = serve.images((32, 32, 3), 10, 1, order["source"])
            pixels = pixels[:2000]
            self.open = lambda sample: sample
            self.samples = [Image.fromarray(image) for image in pixels] if is_pillow else \
                list(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
        self.count = 0
        self.step(0)
        self.about = {"version": f"torchvision {torchvision.__version__}"}

    def step(self, _):
        self.chain(self.open(self.samples[self.count % len(self.samples)]))
        self.count += 1

    def window(self, seconds):
        return serve.timed(self.step, seconds, 1)


def open_with_pillow(path):
    with Image.open(path) as image:
        return image.convert("RGB")


def open_with_torchvision(path):
    return torchvision.io.decode_image(torchvision.io.read_file(str(path)), torchvision.io.ImageReadMode.RGB)


serve.serve(Steps)
