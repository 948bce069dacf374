"""Descent: one training loop for every network: fixed seeds, early stopping, and a checkpoint to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.vectors import Array
from recommender.training.bootstrap import Progress
from recommender.training.frameworks import load_tensorflow

#: Epochs without a better held-out metric after which it stops.
PATIENCE: Final = 3


@dataclass(slots=True)
class Course:
    """How a training went so far."""

    #: Mean loss of each epoch.
    losses: list[float] = field(default_factory=list)
    #: Held-out metric after each epoch, greater is better.
    metrics: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """The epoch with the best metric, from 0."""
        return int(np.argmax(self.metrics))

    def finished(self, most: int) -> bool:
        """Whether another epoch is not worth it."""
        done = len(self.metrics)
        return done >= most or (done > 0 and done - 1 - self.best >= PATIENCE)


class Descent:
    """Descends by Adam (Kingma and Ba, ICLR 2015) and keeps the variables of the best epoch.

    Args:
        variables: what is learnt.
        loss: of one batch.
        rate: Adam's learning rate at the start, or a Keras schedule.
        checkpoint: where to keep the state after every epoch; None = nowhere.
        identity: a state of another identity (other data, other settings) is not gone on from.
    """

    def __init__(
        self,
        variables: Sequence[Any],
        loss: Callable[[tuple[Any, ...]], Any],
        rate: Any,
        checkpoint: Path | None = None,
        identity: object = None,
    ) -> None:
        tf = load_tensorflow()
        self._tf = tf
        self._variables = list(variables)
        self._optimizer = tf.keras.optimizers.Adam(rate)
        self._optimizer.build(self._variables)
        self._loss = loss
        self._step = tf.function(self._descend, autograph=False, reduce_retracing=True)
        self._best = [np.array(one.numpy()) for one in self._variables]
        self.course = Course()
        self._checkpoint = checkpoint
        self._identity = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
        self._resume()

    def run(
        self,
        batches: Callable[[int], Iterable[tuple[Any, ...]]],
        metric: Callable[[], float],
        most: int,
        progress: Progress | None = None,
        stage: str = "training",
    ) -> Course:
        """Train until it does not get better, then put the best epoch's variables back.

        Args:
            batches: of an epoch, from its number.
            metric: of the held-out cases, with the variables as they are.
            most: epochs.
            progress: told after every epoch.
            stage: what it is told, beside the figures.
        """
        while not self.course.finished(most):
            epoch = len(self.course.metrics)
            losses = [float(self._step(batch)) for batch in batches(epoch)]
            self.course.losses.append(float(np.mean(losses)))
            self.course.metrics.append(metric())
            if self.course.best == epoch:
                self._best = [np.array(one.numpy()) for one in self._variables]
            self._save()
            if progress:
                told = f"{stage}: loss {self.course.losses[-1]:.3f}, held-out {self.course.metrics[-1]:.4f}"
                progress(told, epoch + 1, most)
        for variable, value in zip(self._variables, self._best, strict=True):
            variable.assign(value)
        return self.course

    def _descend(self, batch: tuple[Any, ...]) -> Any:
        with self._tf.GradientTape() as tape:
            loss = self._loss(batch)
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        return loss

    def _state(self) -> list[Any]:
        return [*self._variables, *self._optimizer.variables]

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        about = {"identity": self._identity, "losses": self.course.losses, "metrics": self.course.metrics}
        arrays: dict[str, Array] = {f"now.{place}": np.array(one.numpy()) for place, one in enumerate(self._state())}
        arrays |= {f"best.{place}": one for place, one in enumerate(self._best)}
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._checkpoint.with_suffix(".new.npz")
        np.savez(fresh, allow_pickle=False, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
        fresh.replace(self._checkpoint)

    def _resume(self) -> None:
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        with np.load(self._checkpoint, allow_pickle=False) as file:
            about = json.loads(bytes(file["about"]))
            if about["identity"] != self._identity:
                return
            for place, one in enumerate(self._state()):
                one.assign(file[f"now.{place}"])
            self._best = [file[f"best.{place}"] for place in range(len(self._variables))]
        self.course = Course(about["losses"], about["metrics"])
