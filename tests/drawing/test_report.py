"""The report is one self-contained file with the given numbers, and escapes all text."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from c2l.drawing.content import ReportContent, Rival, Tile
from c2l.drawing.report import write_report

VOID = {"meta", "img", "br", "link", "input"}
EVIL = '<script>alert("1")</script>&amp; \'"'

SCORES: dict[str, Any] = {
    "format": "c2l-eval",
    "miou": 0.4128,
    "pixel_accuracy": 0.7034,
    "mean_class_accuracy": 0.5512,
    "nmi": 0.2131,
    "ari": -0.0454,
    "fg_nmi": None,
    "fg_ari": None,
    "iou": {"background": 0.8011, "upper": 0.3099, "lower": None},
    "classes": ["background", "upper", "lower"],
    "confusion": [[5, 700, 0], [9000, 10, 0], [1, 2, 0]],
    "matching": {"kind": "hungarian", "clusters_to_classes": [1, 0, 2]},
    "many_to_one": {"miou": 0.4321},
    "intervals": {"miou": [0.3951, 0.4402], "pixel_accuracy": [0.6811, 0.7222]},
    "baselines": {
        "everything-background": {"miou": 0.2694, "pixel_accuracy": 0.8082},
        "kmeans-xy": {"miou": 0.2041, "pixel_accuracy": 0.3812},
    },
    "images": 150,
    "method": "c2l",
    "split": "val",
    "merge": "upper-lower",
}


class Page(HTMLParser):
    """Collects elements and text, and checks that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def shown(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def page_of(path: Path, content: ReportContent) -> Page:
    write_report(path, content)
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def picture(seed: int, height: int = 60, width: int = 40) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def whole() -> ReportContent:
    metrics: list[dict[str, Any]] = [
        {
            "kind": "step",
            "epoch": s // 10,
            "step": s,
            "loss": 2 - s / 20,
            "loss_view": 1.0,
            "loss_part": 0.0,
            "loss_code": float("nan"),
            "images_per_s": 9.0,
        }
        for s in range(20)
    ]
    metrics += [
        {
            "kind": "epoch",
            "epoch": e,
            "cluster_sizes": [30, 10 + e],
            "cluster_entropy": 0.9,
            "view_agreement": 0.5 + e / 10,
            "loss": 1.0,
        }
        for e in range(2)
    ]
    return ReportContent(
        title="Parts",
        subtitle="What was run",
        facts=[("Images", 150), ("Split", "val")],
        legend=[("background", (150, 156, 166)), ("upper", (245, 132, 31))],
        tiles=[Tile("a.jpg", picture(0), picture(1), picture(2), "mIoU 51.2")],
        scores=SCORES,
        rivals=[Rival("PiCIE", 0.325, 0.58), Rival("DFF", 0.291)],
        metrics=metrics,
        configuration={"epochs": 10, "lr": 1e-4, "merge": None, "backbone": "resnet18"},
        lineage={"inputs_sha256": "ab" * 32, "versions": {"torch": "2.0", "numpy": "2.1"}},
    )


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    page = page_of(path, whole())
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|url\(|@import|//[a-z]", text)
    assert not page.all("script")
    assert not page.all("link")
    for _, attrs in page.tags:
        assert str(attrs.get("src", "data:image/jpeg;base64,")).startswith("data:image/jpeg;")
        assert "href" not in attrs
        assert not any(name.startswith("on") for name in attrs)
    policies = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_given_numbers_are_shown(tmp_path: Path) -> None:
    shown = page_of(tmp_path / "r.html", whole()).shown
    for number in ("41.3", "39.5 to 44.0", "70.3", "68.1 to 72.2", "55.1", "80.1", "31.0", "26.9"):
        assert number in shown
    assert "14.4 points above the best trivial predictor (All background, 26.9 %)" in shown
    assert "Scored on 150 images of val." in shown
    assert "Hungarian matching" in shown
    assert "43.2 %" in shown
    assert "Unmatched: NMI 21.3 %, ARI -4.5 %. " in shown
    assert "within the labelled foreground" not in shown
    assert "not in the labels" in shown
    assert "mIoU 51.2" in shown


def test_a_score_below_the_best_trivial_predictor_is_reported(tmp_path: Path) -> None:
    low = SCORES | {"miou": 0.2}
    shown = page_of(tmp_path / "r.html", ReportContent(title="t", scores=low)).shown
    assert "6.9 points below the best trivial predictor" in shown
    level = SCORES | {"miou": 0.2694}
    shown = page_of(tmp_path / "r.html", ReportContent(title="t", scores=level)).shown
    assert "Level with the best trivial predictor" in shown


def test_trivial_predictors_are_listed_last(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    kinds = [row.get("class") for row in page.all("tr") if row.get("class")]
    assert kinds == ["own", "rival", "rival", "group", "trivial", "trivial"]
    order = ["C2L", "PiCIE", "DFF", "Nothing learned", "All background", "k-means, place"]
    places = [page.text.index(name) for name in order]
    assert places == sorted(places)


def test_a_trivial_predictor_among_the_rivals_is_not_shown_twice(tmp_path: Path) -> None:
    content = ReportContent(
        title="t", scores=SCORES, rivals=[Rival("everything-background", 0.2694, 0.8, True)]
    )
    page = page_of(tmp_path / "r.html", content)
    assert [row.get("class") for row in page.all("tr")].count("trivial") == 2


def test_the_confusion_matrix_is_ordered_by_class_with_counts_on_hover(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    titles = [text for text in page.text if " pixels, " in text]
    assert len(titles) == 9
    arrow = "\N{RIGHTWARDS ARROW}"
    assert titles[0] == f"1 {arrow} background, background: 9,000 pixels, 99.9% of the row"
    assert titles[4] == f"0 {arrow} upper, upper: 700 pixels, 99.3% of the row"


def test_pictures_decode_to_the_given_panels(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    images = page.all("img")
    assert [i["alt"] for i in images] == ["a.jpg, photo", "a.jpg, prediction", "a.jpg, labels"]
    for seed, image in enumerate(images):
        data = base64.b64decode(str(image["src"]).partition(",")[2])
        with Image.open(io.BytesIO(data)) as decoded:
            assert decoded.format == "JPEG"
            found = np.asarray(decoded).astype(int)
        assert np.abs(found - picture(seed)).mean() < 6


def test_large_pictures_are_reduced(tmp_path: Path) -> None:
    large = picture(0, 900, 1600)
    page = page_of(tmp_path / "r.html", ReportContent(title="t", tiles=[Tile("a", large, large)]))
    sizes = []
    for image in page.all("img"):
        with Image.open(io.BytesIO(base64.b64decode(str(image["src"]).partition(",")[2]))) as jpeg:
            sizes.append(jpeg.size)
    assert sizes == [(320, 180)] * 2


def test_curves_omit_terms_that_are_off_or_not_finite(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    for name in ("total", "clustering", "Cluster entropy", "Agreement of the two views"):
        assert name in page.text
    assert "part contrastive" not in page.text
    assert "sparse code" not in page.text
    charts = [svg for svg in page.all("svg") if svg.get("class") == "chart"]
    assert [svg["aria-label"] for svg in charts] == [
        "Loss",
        "Cluster entropy",
        "Agreement of the two views",
        "Share of the largest and smallest cluster",
    ]
    assert "nan" not in "".join(str(attrs.get("d")) for _, attrs in page.tags)


def test_every_term_of_the_loss_has_a_curve(tmp_path: Path) -> None:
    terms = ["loss_figure", "loss_view", *(f"loss_new_{n}" for n in range(6))]
    metrics = [{"kind": "step", "step": s, **dict.fromkeys(terms, s + 1.0)} for s in range(3)]
    page = page_of(tmp_path / "r.html", ReportContent(title="t", metrics=metrics))
    for name in ("clustering", "figures, in the warm-up", *(f"new {n}" for n in range(6))):
        assert name in page.text
    lines = [str(attrs["class"]) for tag, attrs in page.tags if tag == "path" and "d" in attrs]
    assert sum(name.startswith("line") for name in lines) == len(terms)


def test_steps_that_restart_are_drawn_in_file_order(tmp_path: Path) -> None:
    metrics = [{"kind": "step", "epoch": e, "step": s, "loss": 1.0} for e in (0, 1) for s in (0, 1)]
    page = page_of(tmp_path / "r.html", ReportContent(title="t", metrics=metrics))
    line = next(str(p["d"]) for p in page.all("path") if p.get("class") == "line s0")
    across = [float(point.split()[0].lstrip("M")) for point in line.split("L")]
    assert across == sorted(set(across))
    assert len(across) == 4


def test_configuration_and_lineage_are_listed(tmp_path: Path) -> None:
    shown = page_of(tmp_path / "r.html", whole()).shown
    for pair in ("epochs 10", "merge null", "backbone resnet18", "versions.torch 2.0", "ab" * 32):
        assert pair in shown


def test_all_text_is_escaped(tmp_path: Path) -> None:
    content = ReportContent(
        title=EVIL,
        subtitle=EVIL,
        facts=[(EVIL, EVIL)],
        legend=[(EVIL, (1, 2, 3))],
        tiles=[Tile(EVIL, picture(0), picture(1), picture(2), EVIL)],
        scores=SCORES
        | {
            "method": EVIL,
            "split": EVIL,
            "classes": [EVIL] * 3,
            "iou": {EVIL: 0.5},
            "matching": {"kind": EVIL, "clusters_to_classes": [0, 1, 2]},
            "baselines": {EVIL: {"miou": 0.1}},
            "images": EVIL,
        },
        rivals=[Rival(EVIL, 0.3)],
        configuration={EVIL: EVIL},
        lineage={EVIL: {EVIL: EVIL}},
    )
    path = tmp_path / "r.html"
    page = page_of(path, content)
    assert not page.all("script")
    assert "<script" not in path.read_text(encoding="utf-8")
    assert page.text.count(EVIL) >= 12
    assert page.all("img")[0]["alt"] == f"{EVIL}, photo"


def test_a_report_with_only_pictures_has_no_other_sections(tmp_path: Path) -> None:
    def tiles() -> Iterator[Tile]:
        for index in range(3):
            yield Tile(f"{index}.png", picture(index), picture(index))

    page = page_of(tmp_path / "r.html", ReportContent(title="t", tiles=tiles()))
    assert len(page.all("img")) == 6
    assert len(page.all("section")) == 1
    assert not page.all("table")
    assert "labels" not in page.shown


def test_an_empty_report_is_a_valid_page(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", ReportContent(title="Nothing"))
    assert page.shown.split() == ["Nothing", "Nothing"]


@pytest.mark.parametrize("missing", sorted(SCORES))
def test_every_key_of_the_scores_is_optional(tmp_path: Path, missing: str) -> None:
    rest = {key: value for key, value in SCORES.items() if key != missing}
    page = page_of(tmp_path / "r.html", ReportContent(title="t", scores=rest))
    assert ("41.3" in page.shown) == (missing != "miou")


def test_an_error_in_a_tile_leaves_no_report(tmp_path: Path) -> None:
    def tiles() -> Iterator[Tile]:
        yield Tile("a", picture(0), picture(1))
        raise KeyError("broken")

    with pytest.raises(KeyError):
        write_report(tmp_path / "r.html", ReportContent(title="t", tiles=tiles()))
    assert not list(tmp_path.iterdir())
