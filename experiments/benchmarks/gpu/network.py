"""One network on the device, alone: its training step and its inference."""

from __future__ import annotations

from collections.abc import Callable

import timm
import torch
from torch import Tensor, nn

from experiments.benchmarks.gpu.plan import Plan
from experiments.tasks.measured_cost import measured_cost
from roadmap.network import build
from steps.roadmaps.load import load_roadmap


class Network:
    """A row of the plan's roadmap ("13") or a timm model ("timm:convnext_tiny") on noise.

    Training is bf16 autocast on a GPU, channels last, AdamW in one kernel.
    """

    def __init__(self, plan: Plan, name: str) -> None:
        torch.manual_seed(0)
        self.plan, self.name = plan, name
        if name.startswith("timm:"):
            self.module: nn.Module = timm.create_model(name.removeprefix("timm:"))
        else:
            self.module = build(load_roadmap(plan.roadmap)[name].spec.network, plan.size)
        classes = 20 if plan.dry else 1000
        self.module.to(plan.device).to(memory_format=torch.channels_last)
        self.macs = measured_cost(self.module, plan.size)["macs"]
        self.calls: dict[str, Callable[[Tensor], Tensor]] = {
            "eager": self.module,
            "compiled": torch.compile(self.module, backend=plan.compiler),
        }
        shape = (plan.batch, 3, plan.size, plan.size)
        images = torch.randn(shape, device=plan.device)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(0, classes, (plan.batch,), device=plan.device)
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=1e-4, fused=True)

    def work(self, way: str, mode: str) -> Callable[[], None]:
        """Return a function for one step of "training" or one batch of "inference".

        `way` is "eager" or "compiled". The first calls are done already: they compile.
        """
        call = self.calls[way]
        self.module.train(mode == "training")

        def train() -> None:
            with self._autocast():
                loss = nn.functional.cross_entropy(call(self.images), self.labels)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

        def infer() -> None:
            with torch.no_grad(), self._autocast():
                call(self.images)

        done = train if mode == "training" else infer
        for _ in range(1 if self.plan.dry else 3):
            done()
        return done

    def _autocast(self) -> torch.autocast:
        enabled = self.plan.precision == "bf16"
        return torch.autocast(self.plan.device.type, torch.bfloat16, enabled=enabled)
