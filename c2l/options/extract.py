"""Options of ``extract``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.errors import UsageError
from c2l.options.fields import option
from c2l.options.shared import CommonOptions, ImageOptions, NetworkOptions

LAYERS = ("fpn", "layer1", "layer2", "layer3", "layer4")


@dataclass(frozen=True, kw_only=True)
class ExtractOptions(CommonOptions, ImageOptions, NetworkOptions):
    """Options of ``extract``."""

    checkpoint: str | None = option(
        None,
        "Use the trained network of this run folder.",
        group="Start",
        metavar="RUN",
        reads="path",
        role="predictor",
    )
    layer: str = option(
        "fpn",
        "Layer that is read: fpn at stride 4, or the last map of the backbone at stride 4, 8, 16 "
        "or 32 (layer1 to layer4; a vision transformer has only layer4).",
        group="Features",
        choices=LAYERS,
    )
    views: bool = option(False, "Also store the two augmented views of epoch 0.", group="Features")
    stride: int = option(
        1, "Keep every n-th row and column of the feature map.", group="Features", minimum=1
    )
    pixels_per_image: int = option(
        0, "Keep this many random pixels per image; 0 keeps all.", group="Features", minimum=0
    )
    pca: int = option(
        0, "Keep this many principal components; 0 keeps all channels.", group="Features", minimum=0
    )

    def check(self) -> None:
        """Refuse what cannot work.

        Raises:
            UsageError: with the way out.
        """
        super().check()
        if not self.checkpoint:
            self.check_weights()
        if self.views and self.pixels_per_image:
            raise UsageError(
                "--views stores whole maps, --pixels-per-image a sample of each",
                hint="leave out one of them",
            )
