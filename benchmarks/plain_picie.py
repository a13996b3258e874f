"""PiCIE's program order rendered plainly, to measure against: an epoch of its five passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import functional as T

from c2l.nn.network import ParsingNetwork
from c2l.nn.views import ViewParameters, view_parameters

Mapped = Callable[[Tensor, ViewParameters, int], Tensor]


class PlainEpoch:
    """Each pass decodes every photo again, transforms it by Pillow, and runs the network in fp32.

    k-means on view 1, on view 2, labels of both views (a file a photo and view), then training on
    them: six times a photo is decoded. A batch is loaded in two threads while another is used.

    Args:
        photos: their paths.
        net: the network, without modules.
        size: S in pixels.
        batch: photos a batch.
        clusters: K.
        work: an empty folder for the labels.
    """

    def __init__(
        self,
        photos: Sequence[Path],
        net: ParsingNetwork,
        *,
        size: int,
        batch: int,
        clusters: int,
        work: Path,
    ) -> None:
        self.photos, self.net, self.size, self.batch = photos, net, size, batch
        self.clusters, self.work = clusters, work

    def run(self) -> None:
        """One epoch."""
        self.net.eval()
        with torch.no_grad():
            centroids = [self._kmeans(view) for view in (0, 1)]
            for view in (0, 1):
                self._label(view, centroids[view])
        self.net.train()
        self._train(centroids)

    def _load(self, index: int, view: int) -> Tensor:
        """One view of a photo, (3, S, S) float32."""
        with Image.open(self.photos[index]) as file:
            image = file.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        drawn = view_parameters(0, 0, np.array([index]))
        image = T.adjust_brightness(image, float(drawn.brightness[0, view]))
        image = T.adjust_contrast(image, float(drawn.contrast[0, view]))
        image = T.adjust_saturation(image, float(drawn.saturation[0, view]))
        image = T.adjust_hue(image, float(drawn.hue[0, view]))
        if drawn.grey[0, view]:
            image = T.rgb_to_grayscale(image, 3)
        if drawn.blur[0, view]:
            image = image.filter(ImageFilter.GaussianBlur(float(drawn.blur[0, view])))
        tensor: Tensor = T.to_tensor(image)
        return _cropped(tensor[None], drawn, 0)[0] if view == 1 else tensor

    def _batches(self, views: Sequence[int]) -> Iterator[tuple[NDArray[np.int64], list[Tensor]]]:
        groups = np.array_split(np.arange(len(self.photos)), -(-len(self.photos) // self.batch))
        with ThreadPoolExecutor(2) as pool:

            def ask(group: NDArray[np.int64]) -> list[Iterator[Tensor]]:
                return [pool.map(lambda i, v=v: self._load(int(i), v), group) for v in views]

            following = ask(groups[0])
            for number, group in enumerate(groups):
                ready = [torch.stack(list(loaded)) for loaded in following]
                following = ask(groups[number + 1]) if number + 1 < len(groups) else []
                yield group, ready

    def _features(self, x: Tensor, group: NDArray[np.int64], view: int) -> Tensor:
        m = self.net.features(x)
        if view == 0:
            drawn = view_parameters(0, 0, group)
            m = torch.cat([_cropped(m[i : i + 1], drawn, i) for i in range(len(group))])
        return F.normalize(m, dim=1)

    def _kmeans(self, view: int) -> Tensor:
        parts = []
        for group, (x,) in self._batches((view,)):
            y = self._features(x, group, view)
            parts.append(y.permute(0, 2, 3, 1).reshape(-1, y.shape[1]).numpy())
        points = np.concatenate(parts)
        found = faiss.Kmeans(
            points.shape[1], self.clusters, niter=20, max_points_per_centroid=len(points)
        )
        found.train(points)
        return torch.from_numpy(np.asarray(found.centroids))

    def _label(self, view: int, centroids: Tensor) -> None:
        for group, (x,) in self._batches((view,)):
            y = self._features(x, group, view)
            scores = torch.einsum("bchw,kc->bkhw", y, centroids)
            labels = (scores - (centroids.square().sum(1) / 2)[:, None, None]).argmax(1)
            for index, label in zip(group, labels, strict=True):
                np.save(self.work / f"{index}-{view}.npy", label.numpy())

    def _train(self, centroids: list[Tensor]) -> None:
        optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-4)
        for group, views in self._batches((0, 1)):
            z = [
                torch.from_numpy(np.stack([np.load(self.work / f"{i}-{v}.npy") for i in group]))
                for v in (0, 1)
            ]
            y = [self._features(x, group, v) for v, x in enumerate(views)]
            loss = torch.zeros(())
            for features in (0, 1):
                for target in (0, 1):
                    logits = torch.einsum("bchw,kc->bkhw", y[features], centroids[target])
                    loss = loss + F.cross_entropy(logits, z[target]) / 4
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def _cropped(maps_1CHW: Tensor, drawn: ViewParameters, row: int) -> Tensor:
    """The crop and flip of one photo on any grid of it, whole cells, resized bilinearly."""
    height, width = maps_1CHW.shape[-2:]
    side, top, left = drawn.crop[row]
    rows, columns = max(1, round(side * height)), max(1, round(side * width))
    first, start = round(top * (height - rows)), round(left * (width - columns))
    part = maps_1CHW[:, :, first : first + rows, start : start + columns]
    part = F.interpolate(part, (height, width), mode="bilinear")
    return part.flip(3) if drawn.flip[row] else part
