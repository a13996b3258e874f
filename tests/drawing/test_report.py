"""The report is one self-contained file with the given numbers, and escapes all text."""

from __future__ import annotations

import base64
import hashlib
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
from c2l.drawing.curves import compared
from c2l.drawing.overlay import overlay
from c2l.drawing.report import write_report
from c2l.drawing.thumbnails import PHOTO_SIDE

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
        if not self.open or self.open[-1] not in {"style", "script"}:
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


def mask(seed: int, height: int = 60, width: int = 40) -> NDArray[np.uint8]:
    """Blocks of ids 0, 1 and 255."""
    blocks = np.random.default_rng(seed).choice(np.array([0, 1, 255], np.uint8), size=(6, 4))
    return np.kron(blocks, np.ones((height // 6, width // 4), np.uint8))


def decoded(image: dict[str, str | None]) -> Image.Image:
    """The picture of an element of the page."""
    data = base64.b64decode(str(image["src"]).partition(",")[2])
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        return opened


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
        tiles=[Tile("a.jpg", picture(0), mask(1), mask(2), 0.512, "best")],
        photos=7,
        shown=1,
        ranked=6,
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
    assert not page.all("link")
    for _, attrs in page.tags:
        assert str(attrs.get("src", "data:image/")).startswith("data:image/")
        assert str(attrs.get("href", "#")).startswith("#")
        assert not any(name.startswith("on") for name in attrs)
    policies = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    script = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    assert len(script) == len(page.all("script")) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policies == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    ]
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
    assert "mIoU 51.2 %, best" in shown
    assert "7 photos were parsed; this page shows 1 of them" in shown
    assert "Best, median and worst are of 6 photos" in shown


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


def test_bars_are_as_long_as_their_values_with_their_intervals_and_colours(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    bars = {
        str(a["style"]): a["class"] for a in page.all("span") if "--value" in str(a.get("style"))
    }
    assert bars["--value:41.3%;--low:39.5%;--high:44.0%"] == "bar own"
    assert bars["--value:32.5%"] == "bar rival"
    assert bars["--value:26.9%"] == "bar trivial"
    assert bars["--value:80.1%;--fill:rgb(150 156 166)"] == "bar class"


def test_the_confusion_matrix_is_ordered_by_class_with_shares_and_counts(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    shown = page.shown[page.shown.index("percent of the row, and pixels") :]
    arrow = "\N{RIGHTWARDS ARROW}"
    assert f"1 {arrow} background 99.9 9,000 0.1 10 0.0 0 0 {arrow} upper 0.7 5 99.3 700" in shown
    shares = [a["style"] for a in page.all("td") if "--share" in str(a.get("style"))]
    assert shares[:3] == ["--share:99.9%", "--share:0.1%", "--share:0.0%"]
    assert len(shares) == 9
    named = SCORES | {"names": ["coat", "sky", "shoes"]}
    page = page_of(tmp_path / "r.html", ReportContent(title="t", scores=named))
    assert f"sky {arrow} background 99.9" in page.shown


def test_a_photo_and_the_layers_over_it_are_those_given(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    images = [i for i in page.all("img") if "class" in i]
    assert [i["class"] for i in images] == ["photo", "parts", "labels"]
    photo = decoded(images[0])
    assert np.abs(np.asarray(photo.convert("RGB")).astype(int) - picture(0)).mean() < 6
    # Laid over the photo, a layer gives the overlay that render writes beside the page.
    for image, seed in zip(images[1:], (1, 2), strict=True):
        ids = mask(seed)
        layer = decoded(image).convert("RGBA")
        found = np.asarray(
            Image.alpha_composite(Image.fromarray(picture(0)).convert("RGBA"), layer)
        )[..., :3].astype(int)
        colours = np.array([rgb for _, rgb in whole().legend], np.uint8)
        expected = overlay(picture(0), ids, colours, 0.55)
        assert np.abs(found - expected)[ids == 1].max() <= 1
        np.testing.assert_array_equal(found[ids == 255], picture(0)[ids == 255])
        assert (found[ids == 0].sum(1) < picture(0)[ids == 0].sum(1) + 40).all()


def test_a_tile_carries_what_the_page_sorts_and_filters_by(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", whole())
    (tile,) = (f for f in page.all("figure") if f.get("class") == "tile")
    shares = [round(float((mask(1) == part).mean()), 4) for part in (0, 1)]
    assert tile["data-shares"] == " ".join(map(str, shares))
    assert (tile["data-name"], tile["data-miou"], tile["data-kind"]) == ("a.jpg", "0.512", "best")


def test_large_pictures_are_reduced(tmp_path: Path) -> None:
    large, ids = picture(0, 900, 1600), mask(0, 900, 1600)
    legend = [("a", (1, 2, 3)), ("b", (4, 5, 6))]
    content = ReportContent(title="t", legend=legend, tiles=[Tile("a", large, ids)])
    page = page_of(tmp_path / "r.html", content)
    sizes = [decoded(image).size for image in page.all("img") if "class" in image]
    assert sizes == [(PHOTO_SIDE, PHOTO_SIDE * 9 // 16)] * 2


def test_crops_show_a_part_where_it_is_largest_first(tmp_path: Path) -> None:
    def tiles() -> Iterator[Tile]:
        for index in range(12):
            ids = np.zeros((60, 40), np.uint8)
            ids[10 : 20 + index, 5:25] = 1
            yield Tile(f"{index}.jpg", picture(index), ids)

    legend = [("background", (1, 2, 3)), ("coat", (4, 5, 6))]
    page = page_of(tmp_path / "r.html", ReportContent(title="t", legend=legend, tiles=tiles()))
    crops = [i for i in page.all("img") if " in " in str(i.get("alt"))]
    assert [i["alt"] for i in crops] == [f"coat in {index}.jpg" for index in range(11, 3, -1)]
    assert "in 12 photos" in page.shown
    # The box of the part with a margin of three pixels.
    assert decoded(crops[0]).size == (26, 27)


@pytest.mark.parametrize("parts", [1, 127, 128, 255])
def test_a_layer_holds_any_number_of_parts(tmp_path: Path, parts: int) -> None:
    legend = [(f"cluster {i}", (i, 255 - i, i // 2)) for i in range(parts)]
    ids = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(32, 32)
    content = ReportContent(
        title="t", legend=legend, background=False, tiles=[Tile("a", picture(0, 32, 32), ids)]
    )
    (layer,) = (
        i for i in page_of(tmp_path / "r.html", content).all("img") if i.get("class") == "parts"
    )
    alpha = np.asarray(decoded(layer).convert("RGBA"))
    tinted = (ids < parts).ravel()
    assert (alpha[..., 3].ravel() > 0).tolist() == tinted.tolist()
    colours = np.array([rgb for _, rgb in legend])
    np.testing.assert_array_equal(alpha.reshape(-1, 4)[tinted, :3], colours[ids.ravel()[tinted]])


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


def test_a_run_has_one_colour_in_all_charts_of_a_comparison() -> None:
    one = [{"kind": "step", "step": s, "loss": 1.0} for s in range(3)]
    other = [{**record, "loss_code": 0.5} for record in one]
    found = {chart.title: chart.lines for chart in compared([("a", one), ("b", other)])}
    assert found == {
        "Loss: total": [("a", 0), ("b", 1)],
        "Loss: sparse code": [("b", 1)],
    }


def test_configuration_and_lineage_are_listed(tmp_path: Path) -> None:
    shown = page_of(tmp_path / "r.html", whole()).shown
    for pair in ("epochs 10", "merge null", "backbone resnet18", "versions.torch 2.0", "ab" * 32):
        assert pair in shown


def test_all_text_is_escaped(tmp_path: Path) -> None:
    content = ReportContent(
        title=EVIL,
        subtitle=EVIL,
        facts=[(EVIL, EVIL)],
        legend=[(EVIL, (1, 2, 3)), (EVIL, (1, 2, 3))],
        tiles=[Tile(EVIL, picture(0), mask(1), mask(2), 0.5, EVIL)],
        photos=1,
        shown=1,
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
    assert len(page.all("script")) == path.read_text(encoding="utf-8").count("<script") == 1
    assert "".join(page.text).count(EVIL) >= 20
    assert page.all("img")[0]["alt"] == f"{EVIL}, photo"
    assert next(f for f in page.all("figure"))["data-name"] == EVIL


def test_a_report_with_only_pictures_has_no_other_sections(tmp_path: Path) -> None:
    def tiles() -> Iterator[Tile]:
        for index in range(3):
            yield Tile(f"{index}.png", picture(index), mask(index))

    page = page_of(tmp_path / "r.html", ReportContent(title="t", tiles=tiles()))
    assert len(page.all("img")) == 6
    assert len(page.all("section")) == 1
    assert not page.all("table")
    assert "labels" not in page.shown


def test_an_empty_report_is_a_valid_page(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", ReportContent(title="Nothing"))
    assert page.shown.split() == ["Nothing", "Colours", "automatic", "light", "dark", "Nothing"]


@pytest.mark.parametrize("missing", sorted(SCORES))
def test_every_key_of_the_scores_is_optional(tmp_path: Path, missing: str) -> None:
    rest = {key: value for key, value in SCORES.items() if key != missing}
    page = page_of(tmp_path / "r.html", ReportContent(title="t", scores=rest))
    assert ("41.3" in page.shown) == (missing != "miou")


def test_an_error_in_a_tile_leaves_no_report(tmp_path: Path) -> None:
    def tiles() -> Iterator[Tile]:
        yield Tile("a", picture(0), mask(1))
        raise KeyError("broken")

    with pytest.raises(KeyError):
        write_report(tmp_path / "r.html", ReportContent(title="t", tiles=tiles()))
    assert not list(tmp_path.iterdir())
