"""PyTorch, trained on images in memory: see serve.py. Argument: the number of threads.

Variants: `channels_last`, `contiguous` and `compiled` (`torch.compile` on channels_last), all with fused optimizers.
Images are f32 unit pixels in the layout that the variant wants; real ones are gathered by a new order in every epoch.
"""
import sys

import torch

import serve
import torch_networks

torch.set_num_threads(int(sys.argv[1]))
torch.set_flush_denormal(True)


class Training:
    def __init__(self, order):
        torch.manual_seed(1)
        self.batch, self.shuffles, self.steps = order["batch"], bool(order["source"]), 0
        model, optimizer, shape = torch_networks.network(order["network"], order["options"])
        pixels, labels = serve.images(shape, 10, self.batch, order["source"])
        layout = torch.contiguous_format if order["variant"] == "contiguous" else torch.channels_last
        self.images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=layout)
        self.labels = torch.from_numpy(labels)
        model = model.to(memory_format=layout).train()
        self.optimizer = optimizer(model.parameters())
        self.model = torch.compile(model) if order["variant"] == "compiled" else model
        self.loss = torch.nn.CrossEntropyLoss()
        losses = [self.step(number).item() for number in range(order["warmup_steps"])]
        self.about = {"warmup_loss": sum(losses) / len(losses), "version": f"PyTorch {torch.__version__}"}

    def step(self, _):
        first = self.steps * self.batch % (len(self.labels) // self.batch * self.batch)
        if self.shuffles:
            if first == 0:
                self.order = torch.randperm(len(self.labels))
            chosen = self.order[first:first + self.batch]
        else:
            chosen = slice(first, first + self.batch)
        self.steps += 1
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.model(self.images[chosen]), self.labels[chosen])
        loss.backward()
        self.optimizer.step()
        return loss

    def window(self, seconds):
        return serve.timed(self.step, seconds, self.batch)


serve.serve(Training)
