"""ONNX Runtime on the file that Etalon exported: see serve.py. Argument: the number of threads."""
import sys

import numpy as np
import onnxruntime

import serve

THREADS = int(sys.argv[1])


class Inference:
    def __init__(self, order):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(order["model"], options, providers=["CPUExecutionProvider"])
        found = self.session.get_inputs()[0]
        self.batch = order["batch"]
        shape = [self.batch, *found.shape[1:]]
        self.feed = {found.name: np.random.default_rng(1).random(shape, dtype=np.float32)}
        self.step(0)
        self.about = {"version": f"ONNX Runtime {onnxruntime.__version__}"}

    def step(self, _):
        self.session.run(None, self.feed)

    def window(self, seconds):
        return serve.timed(self.step, seconds, self.batch)


serve.serve(Inference)
