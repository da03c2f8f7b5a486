"""Keras on TensorFlow, trained by `model.fit` on images in memory: see serve.py. Argument: the number of threads.

Variants: `plain` and `xla` (`jit_compile`). Images are f32 unit pixels, cached in batches; real ones are shuffled anew in
every epoch.
"""
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tensorflow as tf

import keras_networks
import serve

THREADS = int(sys.argv[1])
tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)


class Training:
    def __init__(self, order):
        keras.utils.set_random_seed(1)
        self.batch = order["batch"]
        self.model, optimizer = keras_networks.network(order["network"], order["options"])
        self.model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                           jit_compile=order["variant"] == "xla", steps_per_execution=order["together"])
        pixels, labels = serve.images(self.model.input_shape[1:], 10, self.batch, order["source"])
        data = tf.data.Dataset.from_tensor_slices((pixels.astype(np.float32) / 255, labels.astype(np.int32)))
        if order["source"]:
            self.data = data.cache().shuffle(len(labels)).batch(self.batch, drop_remainder=True).repeat().prefetch(4)
        else:
            self.data = data.batch(self.batch, drop_remainder=True).cache().repeat().prefetch(4)
        steps = order["warmup_steps"]
        loss = self.fit(steps)
        start = time.perf_counter()
        self.fit(order["together"] * 2)
        self.seconds_per_step = (time.perf_counter() - start) / (order["together"] * 2)
        self.together = order["together"]
        self.about = {"warmup_loss": loss, "version": f"Keras {keras.__version__}, TensorFlow {tf.__version__}"}

    def fit(self, steps):
        return self.model.fit(self.data, epochs=1, steps_per_epoch=steps, verbose=0).history["loss"][-1]

    def window(self, seconds):
        rounds = max(round(seconds / self.seconds_per_step / self.together), 1)
        start = time.perf_counter()
        self.fit(rounds * self.together)
        elapsed = time.perf_counter() - start
        self.seconds_per_step = elapsed / (rounds * self.together)
        return self.batch / self.seconds_per_step


serve.serve(Training)
