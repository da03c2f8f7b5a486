"""A whole Keras script: reads CIFAR-10, trains the tutorial's network for an epoch at batch 64, and ends.

    python keras_first_epoch.py CIFAR_10_BATCHES_BIN THREADS
"""
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tensorflow as tf

import keras_networks

tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))
tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[2]))
folder = pathlib.Path(sys.argv[1])
records = np.concatenate([np.fromfile(folder / f"data_batch_{i}.bin", np.uint8).reshape(-1, 3073) for i in range(1, 6)])
images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float32) / 255
model, optimizer = keras_networks.cifar_cnn()
model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(images, records[:, 0].astype(np.int32), batch_size=64, epochs=1, verbose=0)
