"""Trains the network of experiments/cifar_cnn.yaml with Keras on random images and prints its rate.

    python benches/keras_cifar_cnn.py --batch 128 --threads 2 --windows 6

Data in memory as f32 unit pixels, adam 0.001, one warm-up pass (tracing) excluded; a window is one `fit` over 6,400
images. Prints one JSON line: {"peer": ..., "batch": ..., "images_per_second": [a rate a window], "loss": last}.
"""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--windows", type=int, default=6)
arguments = parser.parse_args()

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
import numpy as np
import tensorflow as tf
import keras
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
keras.utils.set_random_seed(1)

random = np.random.default_rng(0)
images = random.random((6400, 32, 32, 3), dtype=np.float32)
labels = random.integers(0, 10, 6400).astype(np.int32)

model = keras.Sequential([
    layers.Input((32, 32, 3)),
    layers.Conv2D(32, 3, activation="relu"),
    layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"),
    layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"),
    layers.Flatten(),
    layers.Dense(64, activation="relu"),
    layers.Dense(10),
])
model.compile(optimizer=keras.optimizers.Adam(0.001),
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
dataset = (tf.data.Dataset.from_tensor_slices((images, labels)).cache()
           .batch(arguments.batch, drop_remainder=True).prefetch(4))
trained = len(images) // arguments.batch * arguments.batch
model.fit(dataset, epochs=1, verbose=0)
rates = []
for _ in range(arguments.windows):
    start = time.perf_counter()
    history = model.fit(dataset, epochs=1, verbose=0)
    rates.append(round(trained / (time.perf_counter() - start), 1))
print(json.dumps({"peer": f"Keras {keras.__version__} (TensorFlow {tf.__version__})", "batch": arguments.batch,
                  "threads": arguments.threads, "images_per_second": rates, "loss": history.history["loss"][-1]}))
