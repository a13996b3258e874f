"""The network of C^2L, assembled from its modules."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from c2l.nn.backbone import Backbone
from c2l.nn.part import PartContrastiveModule
from c2l.nn.pixel import FeedForward, PixelConsistentModule
from c2l.nn.pyramid import FeaturePyramid, dense_side
from c2l.nn.sparse import SparseCode
from c2l.options import ModuleOptions

# The name of the features m, before S, as a layer.
DENSE = "m"


class ParsingNetwork(nn.Module):
    """Backbone with pyramid f, pixel consistent module S and part contrastive module C.

    Without S and C this is PiCIE's network.

    Args:
        backbone: feature maps by stage.
        pyramid: dense features at stride 4.
        pixel: S, or None.
        part: C, or None.
        layer: source of the features: ``fpn``, or a stage of the backbone.
        projection: with a frozen backbone, the first trained layer: a 1x1 convolution on the
            normalised features of ``layer``. None trains the whole network.
    """

    def __init__(
        self,
        backbone: Backbone,
        pyramid: FeaturePyramid,
        pixel: PixelConsistentModule | None,
        part: PartContrastiveModule | None,
        *,
        layer: str = "fpn",
        projection: nn.Conv2d | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.pyramid, self.pixel, self.part = backbone, pyramid, pixel, part
        self.layer, self.projection = layer, projection

    def features(self, images_B3HW: Tensor) -> Tensor:
        """m = f(x): (B, C, h, w) from (B, 3, H, W) float images in [0, 1].

        For the pyramid, h and w are those of ``dense_side``; a stage has its own grid.
        """
        stages = self.backbone(images_B3HW)
        height, width = images_B3HW.shape[-2:]
        dense: Tensor = (
            self.pyramid(stages, (dense_side(height), dense_side(width)))
            if self.layer == "fpn"
            else stages[self.layer]
        )
        return self.project_frozen(dense)

    def project_frozen(self, dense_BCHW: Tensor) -> Tensor:
        """Project the features of a frozen layer; without a projection they are unchanged."""
        if self.projection is None:
            return dense_BCHW
        projected: Tensor = self.projection(F.normalize(dense_BCHW.float(), dim=1))
        return projected

    def embed(self, features_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """y = S(m), float32 of unit length at every position, and the loss L_c."""
        loss = features_BCHW.new_zeros(()).float()
        y = features_BCHW
        if self.pixel is not None:
            y, loss = self.pixel(features_BCHW)
        return F.normalize(y.float(), dim=1), loss

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """The features that are clustered, (B, C, h, w) float32 of unit length."""
        return self.embed(self.features(images_B3HW))[0]

    def constrain(self) -> None:
        """Project the dictionary of the sparse code onto its constraint set, after each step."""
        if self.pixel is not None and isinstance(self.pixel.code, SparseCode):
            self.pixel.code.project()


def build_pixel_module(dim: int, options: ModuleOptions) -> PixelConsistentModule | None:
    """The pixel consistent module for features of ``dim`` channels, or None for ``off``."""
    if options.pixel == "off":
        return None
    code: SparseCode | FeedForward
    if options.pixel == "ffn":
        code = FeedForward(dim, 2 * dim)
    else:
        code = SparseCode(
            dim,
            options.pixel_dim,
            sparsity=options.sparsity,
            ista_steps=options.ista_steps,
            code_input=options.code_input,
        )
    return PixelConsistentModule(
        dim, options.heads, code, attention_stride=options.attention_stride
    )
