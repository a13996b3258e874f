"""The report in a real browser: controls by mouse and keyboard, widths, colour schemes, no errors.

Needs the extra ``c2l[browser]`` and a Chromium on the PATH; skipped without them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c2l.drawing.compared import RunContent, write_comparison_page
from c2l.drawing.content import ReportContent, Rival, Tile
from c2l.drawing.report import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="needs c2l[browser]")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")

EVIL = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>{{ 7*7 }}.jpg"
LONG = "a" * 200 + ".jpg"
NAMES = ("b10.jpg", "b9.jpg", EVIL, LONG, "z.jpg", "a.jpg")
MIOUS = (0.9, 0.2, 0.5, None, 0.7, 0.1)
KINDS = ("best", "", "median", "", "", "worst")
# A colour that CSS has computed, for the contrast of text.
CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const element of document.querySelectorAll("main *, nav *")) {
    const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!text || !element.checkVisibility() || element.disabled || element.closest("svg")) continue;
    let under = element;
    const paper = () => getComputedStyle(under).backgroundColor;
    while (rgb(paper())[3] < 255) under = under.parentElement;
    const [a, b] = [getComputedStyle(element).color, paper()]
      .map((colour) => light(rgb(colour))).sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.textContent.trim().slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""

# What sticks out on the right of the page, outside of boxes that scroll by themselves.
WIDER = """() => [...document.querySelectorAll("body *")]
  .filter((e) => !e.closest(".scroll, .links") && e.getBoundingClientRect().right > innerWidth)
  .map((e) => e.outerHTML.slice(0, 80))"""


def tiles() -> Iterator[Tile]:
    """Photos in which part 1 covers more and more rows; part 2 is in the last of them alone."""
    for index, (name, miou, kind) in enumerate(zip(NAMES, MIOUS, KINDS, strict=True)):
        photo = np.random.default_rng(index).integers(0, 256, size=(48, 36, 3), dtype=np.uint8)
        parts = np.zeros((48, 36), np.uint8)
        parts[: 4 + 4 * index] = 1
        if index == 5:
            parts[40:] = 2
        labels = None if name == LONG else np.roll(parts, 5, axis=0)
        yield Tile(name, photo, parts, labels, miou, kind)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    metrics = [{"kind": "step", "step": s, "loss": 2.0, "loss_view": 1.5} for s in range(5)]
    scores: dict[str, Any] = {
        "miou": 0.4128,
        "pixel_accuracy": 0.7034,
        "mean_class_accuracy": 0.5512,
        "iou": {"background": 0.8, EVIL: 0.4, "lower": None},
        "classes": ["background", EVIL, "lower"],
        "confusion": [[5, 7_000_000, 0]] * 3,
        "matching": {"kind": "hungarian", "clusters_to_classes": [1, 0, 2]},
        "intervals": {"miou": [0.39, 0.44]},
        "baselines": {"everything-background": {"miou": 0.26, "pixel_accuracy": 0.8}},
        "images": 150,
        "method": EVIL,
    }
    content = ReportContent(
        title=EVIL,
        facts=[("photos", "/a/" + LONG)],
        legend=[("background", (150, 156, 166)), (EVIL, (245, 132, 31)), ("shoes", (38, 103, 214))],
        tiles=tiles(),
        photos=6,
        shown=6,
        ranked=5,
        scores=scores,
        rivals=[Rival(LONG, 0.3)],
        metrics=metrics,
        configuration={EVIL: EVIL, LONG: LONG},
    )
    write_report(path, content)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        # A root user, as in containers, has no sandbox.
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, report: str) -> Iterator[Any]:
    """Opens the report; at the end there was no error, no dialog, and nothing was loaded."""
    contexts, wrong = [], []

    def open_page(width: int = 1280, scheme: str = "light", *, script: bool = True) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda r: None if r.url.startswith(("data:", report)) else wrong.append(r.url),
        )
        page.goto(report)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def shown(page: Any) -> list[str]:
    """Names of the visible photos, in order."""
    return page.eval_on_selector_all(
        ".tile", "tiles => tiles.filter(t => t.checkVisibility()).map(t => t.dataset.name)"
    )


def clips(page: Any, place: str) -> list[str]:
    """What the slider leaves of the parts and the labels."""
    return [
        page.eval_on_selector(f"{place} .{layer}", "image => getComputedStyle(image).clipPath")
        for layer in ("parts", "labels")
    ]


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_width_scrolls_sideways(opened: Any, width: int) -> None:
    page = opened(width)
    assert page.evaluate(WIDER) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".tile .stack").first.click()
    box = page.locator("dialog").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.eval_on_selector("dialog", "d => d.scrollWidth - d.clientWidth") == 0


def test_hostile_names_are_text(opened: Any) -> None:
    page = opened()
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("figcaption .name").nth(2).inner_text() == EVIL
    page.locator(".tile .stack").nth(2).click()
    assert page.locator("#viewed").inner_text() == EVIL
    assert EVIL in page.locator(".shares").inner_text()


def test_photos_are_found_filtered_and_sorted(opened: Any) -> None:
    page = opened()
    assert shown(page) == list(NAMES)
    page.select_option("#order", "best")
    assert shown(page) == ["b10.jpg", "z.jpg", EVIL, "b9.jpg", "a.jpg", LONG]
    page.select_option("#order", "worst")
    assert shown(page) == ["a.jpg", "b9.jpg", EVIL, "z.jpg", "b10.jpg", LONG]
    page.select_option("#order", "name")
    assert [n for n in shown(page) if n != EVIL] == ["a.jpg", LONG, "b9.jpg", "b10.jpg", "z.jpg"]
    page.select_option("#order", "part:1")
    assert shown(page) == list(reversed(NAMES))
    page.select_option("#show", "part:2")
    assert shown(page) == ["a.jpg"]
    page.select_option("#show", "kind:median")
    assert shown(page) == [EVIL]
    page.select_option("#show", "")
    page.fill("#find", " B1")
    assert shown(page) == ["b10.jpg"]
    assert page.locator("#count").inner_text() == "1 of 6 photos"


def test_the_slider_goes_from_the_photo_over_its_parts_to_its_labels(opened: Any) -> None:
    page = opened()
    slider = page.locator("#photos > .wipe input")
    # A layer is cut from the right until it is whole, and from the left by the next.
    assert ["100%" in clip for clip in clips(page, ".tile")] == [False, True]
    slider.focus()
    page.keyboard.press("Home")
    assert "100%" in clips(page, ".tile")[0]
    assert slider.get_attribute("aria-valuetext") == "photo"
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert "75%" in clips(page, ".tile")[0]
    assert slider.get_attribute("aria-valuetext") == "25 % parts, rest photo"
    page.keyboard.press("End")
    assert "100%" in clips(page, ".tile")[0]
    assert "100%" not in clips(page, ".tile")[1]
    page.get_by_role("button", name="parts", exact=True).click()
    assert "100%" in clips(page, ".tile")[1]
    # A photo without labels stays at its parts.
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.eval_on_selector_all(
        ".tile .stack", "stacks => stacks.map(s => s.style.getPropertyValue('--at'))"
    ) == ["2", "2", "2", "1", "2", "2"]


def test_one_photo_is_viewed_by_keyboard(opened: Any) -> None:
    page = opened()
    page.select_option("#order", "best")
    page.select_option("#show", "part:1")
    page.locator(".tile .stack").first.focus()
    page.keyboard.press("Enter")
    viewed = page.locator("#viewed")
    assert viewed.inner_text() == "b10.jpg"
    assert "mIoU 90.0 %, best" in page.locator("dialog .about").inner_text()
    # The focus is on a button, where arrows go to the next photo as the page sorts them.
    page.locator("#after").focus()
    page.keyboard.press("ArrowRight")
    assert viewed.inner_text() == "z.jpg"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert viewed.inner_text() == LONG
    slider = page.locator("dialog .wipe input")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert (viewed.inner_text(), slider.input_value()) == (LONG, "0.95")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.closest('.tile').dataset.name") == LONG


def test_the_edge_is_dragged_across_the_photo(opened: Any) -> None:
    page = opened()
    page.locator(".tile .stack").first.click()
    box = page.locator("dialog .stack").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40)
    page.mouse.up()
    assert float(page.locator("dialog .wipe input").input_value()) == pytest.approx(1.6, abs=0.03)
    assert page.locator("dialog .stack.split").count() == 1
    # The whole photo is seen: its box has the photo's shape.
    assert box["width"] / box["height"] == pytest.approx(36 / 48, rel=0.02)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_until_they_are_chosen(opened: Any, scheme: str) -> None:
    page = opened(scheme=scheme)
    paper = "getComputedStyle(document.body).backgroundColor"
    found = {scheme: page.evaluate(paper)}
    other = {"light": "dark", "dark": "light"}[scheme]
    page.select_option("#theme", other)
    found[other] = page.evaluate(paper)
    assert found == {"light": "rgb(250, 250, 248)", "dark": "rgb(22, 24, 28)"}
    page.reload()
    assert page.evaluate(paper) == found[other]
    page.select_option("#theme", "")
    assert page.evaluate(paper) == found[scheme]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(opened: Any, scheme: str) -> None:
    """WCAG 2 asks for 4.5 to 1."""
    found = opened(scheme=scheme).evaluate(CONTRAST)
    assert len(found) > 60
    assert [one for one in found if one[0] < 4.5] == []


def test_every_control_has_a_name_and_no_id_is_twice(opened: Any) -> None:
    page = opened()
    snapshot = page.locator("body").aria_snapshot()
    for control in ("searchbox", "combobox", "slider", "button"):
        assert f"- {control}\n" not in snapshot
        assert f'- {control} "' in snapshot
    ids = page.eval_on_selector_all("[id]", "elements => elements.map(e => e.id)")
    assert len(ids) == len(set(ids))
    links = page.eval_on_selector_all("nav a", "links => links.map(a => a.hash.slice(1))")
    assert set(links) <= set(ids)


def test_without_scripts_photos_and_parts_are_shown(opened: Any) -> None:
    page = opened(360, script=False)
    assert page.locator(".tile .parts").first.is_visible()
    assert not page.locator(".tools").is_visible()
    assert not page.locator("nav .theme").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_of_runs_fits_a_phone_and_has_contrast(
    browser: Any, tmp_path: Path, scheme: str
) -> None:
    def spread(mean: float) -> dict[str, Any]:
        return {"mean": mean, "std": 0.02, "seeds": 2, "agree": 2}

    def row(name: str, mean: float) -> dict[str, Any]:
        metrics = dict.fromkeys(("miou", "pixel_accuracy", "mean_class_accuracy"), spread(mean))
        return {"name": name, **metrics, "iou": {EVIL: spread(mean), "shoes": spread(0.1)}}

    other = row(LONG, 0.7) | {"differences": dict.fromkeys(("miou",), spread(-0.1))}
    comparison = {
        "scored_on": {"images": 7, "split": EVIL, "merge": LONG},
        "mixed": [],
        "against": EVIL,
        "rows": [row(EVIL, 0.8), other],
        "trivial": [row("everything-background", 0.2)],
    }
    steps = [{"kind": "step", "step": s, "loss": 2.0 / (s + 1)} for s in range(5)]
    runs = [RunContent(EVIL, steps, {"lr": EVIL}), RunContent(LONG, steps, {"lr": LONG})]
    path = tmp_path / "compare.html"
    write_comparison_page(path, EVIL, comparison, runs)
    context = browser.new_context(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    assert page.evaluate(WIDER) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert [one for one in page.evaluate(CONTRAST) if one[0] < 4.5] == []
    assert page.locator("h1").inner_text() == EVIL
    context.close()
    assert wrong == []
