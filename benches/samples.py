"""The data that both sides read, made once below .tools/bench/data: CIFAR-10 in its binary layout, and JPEG photos."""
import pathlib
import shutil

import numpy as np
from PIL import Image

from contenders import TOOLS, Failed

DATA = TOOLS / "data"
BATCHES = DATA / "cifar-10-batches-bin"


def cifar10(data_dirs):
    """The folder of the binary files; from a copy of them, or from folders of images, that lies in a data folder."""
    if not (BATCHES / "test_batch.bin").exists():
        for folder in map(pathlib.Path, data_dirs):
            if (folder / BATCHES.name / "test_batch.bin").exists():
                DATA.mkdir(parents=True, exist_ok=True)
                shutil.copytree(folder / BATCHES.name, BATCHES, dirs_exist_ok=True)
                break
            if (folder / "cifar10/train").is_dir():
                pack(folder / "cifar10")
                break
        else:
            raise Failed("CIFAR-10 is in none of the data folders")
    arrays = DATA / "cifar10.npz"
    if not arrays.exists():
        records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073)
                                  for file in sorted(BATCHES.glob("data_batch_*.bin"))])
        images = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        np.savez(arrays, images=images, labels=records[:, 0])
    return BATCHES


def pack(folder):
    """Writes folders of images, one a class, as the publisher's binary files; in an order drawn once."""
    BATCHES.mkdir(parents=True, exist_ok=True)
    for split, names in (("train", [f"data_batch_{i}.bin" for i in range(1, 6)]), ("test", ["test_batch.bin"])):
        classes = sorted(path.name for path in (folder / split).iterdir() if path.is_dir())
        files = [(label, file) for label, name in enumerate(classes)
                 for file in sorted((folder / split / name).iterdir())]
        records = np.empty((len(files), 3073), np.uint8)
        for record, index in zip(records, np.random.default_rng(1).permutation(len(files))):
            label, file = files[index]
            record[0] = label
            record[1:] = np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1).reshape(-1)
        for name, part in zip(names, np.split(records, len(names))):
            part.tofile(BATCHES / name)


def photos(count=96):
    """A folder of JPEG photos of many sizes: windows of the two photographs that scikit-learn brings."""
    folder = DATA / "photos"
    if not folder.exists():
        from sklearn.datasets import load_sample_images
        random = np.random.default_rng(1)
        found = load_sample_images()
        for index in range(count):
            picture = found.images[index % 2]
            height, width = random.integers(320, 428), random.integers(420, 641)
            top, left = random.integers(0, 428 - height), random.integers(0, 641 - width)
            window = Image.fromarray(picture[top:top + height, left:left + width])
            place = folder / "train" / ("china", "flower")[index % 2]
            place.mkdir(parents=True, exist_ok=True)
            window.save(place / f"{index:03}.jpg", quality=90)
    return folder
